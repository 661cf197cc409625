"""ResVision: residual learning and the vision systems that stand on it.

The public names are loaded when they are first used, so `import resvision` is quick and loads no torch. It imports
nothing at all: `python -m resvision` loads this file while the working folder is still first on the import path.
"""

TYPE_CHECKING = False  # that of `typing`, which type checkers know by its name
if TYPE_CHECKING:
    from resvision.catalog import build as build
    from resvision.classification.stages import stages as stages
    from resvision.core.results import ClassScores as ClassScores
    from resvision.core.results import Detections as Detections
    from resvision.core.results import LabelMap as LabelMap
    from resvision.inference.evaluate import evaluate as evaluate
    from resvision.inference.explain import Explanation as Explanation
    from resvision.inference.explain import explain as explain
    from resvision.inference.load import Trained as Trained
    from resvision.inference.load import load as load
    from resvision.inference.predict import predict as predict
    from resvision.kinds.classification.scores import ClassificationScores as ClassificationScores
    from resvision.kinds.detection.scores import DetectionScores as DetectionScores
    from resvision.kinds.segmentation.scores import SegmentationScores as SegmentationScores
    from resvision.launch import Finished as Finished
    from resvision.launch import resume as resume
    from resvision.launch import train as train
    from resvision.probes.count import count as count
    from resvision.run import Run as Run
    from resvision.studies.cross_validation import cross_validate as cross_validate

__version__ = "0.1.0"

TYPES = {
    "Finished": "resvision.launch",
    "Trained": "resvision.inference.load",
    "ClassificationScores": "resvision.kinds.classification.scores",
    "SegmentationScores": "resvision.kinds.segmentation.scores",
    "DetectionScores": "resvision.kinds.detection.scores",
    "ClassScores": "resvision.core.results",
    "LabelMap": "resvision.core.results",
    "Detections": "resvision.core.results",
    "Explanation": "resvision.inference.explain",
}
"""The types of what `train` and `load`, `evaluate`, `predict` and `explain` give, each for annotations."""

_PUBLIC = {
    "build": "resvision.catalog",
    "stages": "resvision.classification.stages",
    "count": "resvision.probes.count",
    "Run": "resvision.run",
    "train": "resvision.launch",
    "resume": "resvision.launch",
    "cross_validate": "resvision.studies.cross_validation",
    "evaluate": "resvision.inference.evaluate",
    "load": "resvision.inference.load",
    "predict": "resvision.inference.predict",
    "explain": "resvision.inference.explain",
    **TYPES,
}

__all__ = [
    "build",
    "stages",
    "count",
    "Run",
    "train",
    "resume",
    "cross_validate",
    "evaluate",
    "load",
    "predict",
    "explain",
    "Finished",
    "Trained",
    "ClassificationScores",
    "SegmentationScores",
    "DetectionScores",
    "ClassScores",
    "LabelMap",
    "Detections",
    "Explanation",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _PUBLIC:
        raise AttributeError(f"module 'resvision' has no attribute {name!r}; it has {', '.join(_PUBLIC)}")
    try:
        public: object = getattr(import_module(_PUBLIC[name]), name)
    except ModuleNotFoundError as error:  # in the light install, of which the error then says what it lacks
        from resvision.core.references import missing_extra

        raise missing_extra(error) from None
    return public


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
