"""ResVision: residual learning and the vision systems that stand on it.

The public names are loaded when they are first used, so `import resvision` is quick and loads no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resvision.catalog import build as build
    from resvision.classification.stages import stages as stages
    from resvision.inference.evaluate import evaluate as evaluate
    from resvision.inference.load import load as load
    from resvision.inference.predict import predict as predict
    from resvision.launch import train as train
    from resvision.probes.count import count as count
    from resvision.run import Run as Run

__version__ = "0.1.0"

_PUBLIC = {
    "build": "resvision.catalog",
    "stages": "resvision.classification.stages",
    "count": "resvision.probes.count",
    "Run": "resvision.run",
    "train": "resvision.launch",
    "evaluate": "resvision.inference.evaluate",
    "load": "resvision.inference.load",
    "predict": "resvision.inference.predict",
}

__all__ = ["build", "stages", "count", "Run", "train", "evaluate", "load", "predict"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'resvision' has no attribute {name!r}; it has {', '.join(_PUBLIC)}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
