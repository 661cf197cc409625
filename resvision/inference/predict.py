"""Prediction: the results of a trained run for image files and arrays."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.images import Pixels, decode
from resvision.core.views import Shown
from resvision.inference.image_files import ImageFiles
from resvision.inference.load import Trained, load
from resvision.kinds.kind import Result

Picture = str | Path | NDArray[np.uint8]
Source = Path | NDArray[np.uint8]

BATCH_SIZE = 64
"""Images that are shown to a net at a time, where all become one size."""


class Predicted(NamedTuple):
    """The result for one image: the source as it was named, the image (H, W, C), and the result."""

    source: Source
    image: Pixels
    result: Any


def predict(
    run: Trained | str | Path,
    images: Picture | Sequence[Picture],
    *,
    top: int | None = None,
    grey: bool = False,
) -> list[Any]:
    """Predict images, in their order: the scores of classes, or label maps.

    images  files, folders (all their files, in order of name), or uint8 arrays (H, W) or (H, W, C)
    top     how many classes to give, all when left out; SettingsError where the task has no ranked classes
    grey    turn colour into grey for a net that was trained on grey images

    Raises DataError, which names the file, for one that cannot be decoded or does not fit the net.
    """
    trained = run if isinstance(run, Trained) else load(run)
    trained.kind.require_options({"top": top is not None})
    predictions = predicted(trained, sources_of(images), grey=grey)
    return [trained.kind.limited(prediction.result, top) for prediction in predictions]


def predicted(
    trained: Trained,
    sources: Iterable[Source],
    *,
    grey: bool = False,
    failed: Callable[[DataError], None] | None = None,
) -> Iterator[Predicted]:
    """Yield the result for each source, in order, a batch at a time.

    failed  takes the error of each source that cannot be used, which is left out; without it the DataError is raised
    """
    batch_size = BATCH_SIZE if trained.view.side_px is not None else 1
    decoded = decoded_sources(trained, sources, grey, failed)
    while batch := list(islice(decoded, batch_size)):
        raw_results = trained.task.raw(trained, [shown.pixels for _, _, _, shown in batch])
        for (source, name, image, shown), raw in zip(batch, raw_results, strict=True):
            result = trained.kind.decode(raw, shown.geometry, source=name, classes=trained.classes)
            yield Predicted(source, image, result)


def result_of(trained: Trained, image: Pixels, *, name: str, grey: bool = False) -> Result:
    """Predict one decoded image (H, W) or (H, W, C); DataError where it does not fit the net."""
    shown = _shown(trained, image, name=name, grey=grey)
    (raw,) = trained.task.raw(trained, [shown.pixels])
    result: Result = trained.kind.decode(raw, shown.geometry, source=name, classes=trained.classes)
    return result


def decoded_sources(
    trained: Trained, sources: Iterable[Source], grey: bool, failed: Callable[[DataError], None] | None
) -> Iterator[tuple[Source, str, Pixels, Shown]]:
    """Yield each source that can be decoded and shown, with its name; the errors of the others go to `failed`."""
    for position, source in enumerate(sources):
        name = printable(source) if isinstance(source, Path) else f"array {position}"
        try:
            image = decode(source) if isinstance(source, Path) else source
            shown = _shown(trained, image, name=name, grey=grey)
        except DataError as error:
            if failed is None:
                raise
            failed(error)
        else:
            yield source, name, image if image.ndim == 3 else image[:, :, None], shown


def _shown(trained: Trained, image: NDArray[Any], *, name: str, grey: bool) -> Shown:
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise DataError(f"{name}: an image is uint8 of shape (H, W) or (H, W, 3), not {image.dtype} of {image.shape}")
    return trained.view.show(image, name=name, grey=grey)


def sources_of(images: Picture | Sequence[Picture]) -> list[Source]:
    """The sources in the argument `images` of `predict`; folders become their files. DataError for missing ones."""
    pictures = [images] if isinstance(images, str | Path | np.ndarray) else images
    return [source for picture in pictures for source in _expand(picture)]


def _expand(picture: Picture) -> Sequence[Source]:
    return [picture] if isinstance(picture, np.ndarray) else [*ImageFiles.of([Path(picture)])]
