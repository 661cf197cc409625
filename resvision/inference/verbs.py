"""`evaluate` and `predict` for runs of every task: what Python is given under these names."""

from collections.abc import Sequence
from pathlib import Path

from resvision.core.errors import SettingsError
from resvision.core.label_maps import LabelMap, SegmentationScores
from resvision.core.results import ClassificationScores, ClassScores
from resvision.inference import evaluate as classification
from resvision.inference import predict as images_of
from resvision.inference.load import Trained, load
from resvision.inference.mask_presets import WHOLE
from resvision.inference.predict import Picture, sources_of
from resvision.inference.presets import CENTER_CROP
from resvision.inference.segment import evaluate_masks, segment


def evaluate(
    run: Trained | str | Path,
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    batch_size: int | None = None,
    grey: bool = False,
    compiled: bool | None = None,
    protocol: str | None = None,
    scales: Sequence[int] | None = None,
) -> ClassificationScores | SegmentationScores:
    """Scores of a run over the test split of `data`, by default of the data it was trained on.

    What comes back is for the run's task: errors of classes, or IoU and accuracies of label maps.

    root        where a named data set lies
    batch_size  64, or 4 label maps, when left out
    grey        turn colour into grey for a net that takes grey; its own data is turned as in training
    protocol    one of `resvision evaluate --protocols`: center-crop, or whole for label maps, when left out
    compiled, scales   as `inference.evaluate` says, not for label maps

    Classes are matched by name. Raises DataError for a class that the run does not know, UnknownNameError for a
    protocol that is not there for its task.
    """
    trained = run if isinstance(run, Trained) else load(run)
    if trained.run.model.task != "segmentation":
        return classification.evaluate(
            trained,
            data,
            root=root,
            batch_size=batch_size or 64,
            grey=grey,
            compiled=compiled,
            protocol=protocol or CENTER_CROP,
            scales=scales,
        )
    if compiled or scales:
        raise SettingsError("label maps: scales are those of the protocol, and nothing is compiled; leave these out")
    return evaluate_masks(trained, data, root=root, batch_size=batch_size or 4, grey=grey, protocol=protocol or WHOLE)


def predict(
    run: Trained | str | Path,
    images: Picture | Sequence[Picture],
    *,
    top: int | None = None,
    grey: bool = False,
) -> list[ClassScores] | list[LabelMap]:
    """What a run says of images, in their order: the scores of classes, or label maps.

    images  files, folders (all their files, in order of name), or uint8 arrays (H, W) or (H, W, 3)
    top     how many classes to give, all when left out; not for label maps
    grey    turn colour into grey for a net that was trained on grey images

    Raises DataError, which names the file, for one that cannot be decoded or does not fit the net.
    """
    trained = run if isinstance(run, Trained) else load(run)
    if trained.run.model.task != "segmentation":
        return images_of.predict(trained, images, top=top, grey=grey)
    if top is not None:
        raise SettingsError("label maps: a pixel has one class; leave `top` out")
    return [each.found for each in segment(trained, sources_of(images), grey=grey)]
