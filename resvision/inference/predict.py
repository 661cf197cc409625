"""Prediction: the results of a trained run for files, Pillow images, arrays and tensors."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from resvision.contracts import PixelSystem
from resvision.core.errors import DataError, SettingsError
from resvision.core.images import Pixels
from resvision.core.views import Shown
from resvision.inference.load import Trained, load
from resvision.inference.sources import Picture, Source, decoded, name_of, sources_of
from resvision.kinds.kind import Result
from resvision.kinds.prediction_options import PredictionOptions
from resvision.tasks import Seen
from resvision.training.machine import at_work

BATCH_SIZE = 64
"""Images that are shown to a net at a time, where all become one size."""


class Predicted(NamedTuple):
    """The result for one image: the source as it was named, the image (H, W, C), and the result."""

    source: Source
    image: Pixels
    result: Any


def predict(
    run: Trained | str | Path,
    images: Picture | Iterable[Picture],
    *,
    top: int | None = None,
    grey: bool = False,
    score: float | None = None,
    iou: float | None = None,
    suppress: str | None = None,
    most: int | None = None,
) -> list[Any]:
    """Predict images, in their order: ClassScores, LabelMap, Detections, or the result of the run's own task for each.

    images  one or several: files, folders (all their files, in order of name), Pillow images, arrays (H, W) or
            (H, W, C), tensors (H, W) or (C, H, W), or batches of these, (N, H, W, C) and (N, C, H, W). Values are
            uint8, or floats 0..1; the model resizes and normalizes them itself
    top     how many classes to give, all when left out; SettingsError where the task has no ranked classes
    grey    turn colour into grey for a net that was trained on grey images

    Four are for tasks that find things in images, and a SettingsError for others:
    score     the score above which a find is given, 0..1; 0.3 for boxes when left out
    iou       of two finds that overlap by more, 0..1, the one of lower score is left out
    suppress  the classes among which that is so: `per-class`, `all`, or groups of names such as "cat,dog;car,bus"
    most      the most finds of an image

    Raises DataError, which names the image, for one that cannot be decoded or does not fit the net.
    """
    trained = run if isinstance(run, Trained) else load(run)
    options = PredictionOptions(score, iou, suppress, most)
    trained.kind.require_options({"top": top is not None, **options.given()})
    predictions = predicted(showing(trained, options), sources_of(images), grey=grey)
    return [trained.kind.limited(prediction.result, top) for prediction in predictions]


def showing(trained: Trained, options: PredictionOptions) -> Trained:
    """The run with what a person asks of its predictions, and the kind's usual score where none is named."""
    if options.score is None:
        options = options._replace(score=trained.kind.usual_score)
    return trained.task.configured(trained, options)


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
    images = decoded_sources(trained, sources, grey, failed)
    while batch := list(islice(images, batch_size)):
        raw_results = _raw(trained, [Seen(*shown, name, image) for _, name, image, shown in batch])
        for (source, name, image, shown), raw in zip(batch, raw_results, strict=True):
            result = trained.kind.decode(raw, shown.geometry, source=name, classes=trained.classes)
            yield Predicted(source, image, result)


def result_of(trained: Trained, image: Pixels, *, name: str, grey: bool = False) -> Result:
    """Predict one decoded image (H, W) or (H, W, C); DataError where it does not fit the net."""
    shown = trained.view.show(image, name=name, grey=grey)
    (raw,) = _raw(trained, [Seen(*shown, name, image)])
    result: Result = trained.kind.decode(raw, shown.geometry, source=name, classes=trained.classes)
    return result


def inputs_of(trained: Trained, images: Picture | Iterable[Picture], *, grey: bool = False) -> Tensor:
    """The inputs of the net for images, (N, C, H, W) float32 on its device: seen through the run's view, normalized.

    Raises DataError as `predict` does, and where images become of different sizes; SettingsError for a system that
    does not normalize pixels.
    """
    if not isinstance(trained.system, PixelSystem):
        raise SettingsError(f"{type(trained.system).__name__}: does not normalize pixels; its `predict` takes inputs")
    pixels = [shown.pixels for _, _, _, shown in decoded_sources(trained, sources_of(images), grey, None)]
    if len(sizes := {view.shape for view in pixels}) != 1:
        listed = ", ".join(f"{height}x{width}" for height, width, _ in sorted(sizes)[:5]) or "no images"
        raise DataError(f"inputs of one size are needed, not {listed}; give images of one size, or one at a time")
    stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
    return trained.system.normalized(stacked.to(trained.system.mean.device)).contiguous()


def _raw(trained: Trained, seen: list[Seen]) -> list[Any]:
    with at_work(trained.system, trained.machine):
        return trained.task.raw(trained, seen)


def decoded_sources(
    trained: Trained, sources: Iterable[Source], grey: bool, failed: Callable[[DataError], None] | None
) -> Iterator[tuple[Source, str, Pixels, Shown]]:
    """Yield each source that can be decoded and shown, with its name; the errors of the others go to `failed`."""
    for position, source in enumerate(sources):
        name = name_of(source, position)
        try:
            image = decoded(source, name=name)
            shown = trained.view.show(image, name=name, grey=grey)
        except DataError as error:
            if failed is None:
                raise
            failed(error)
        else:
            yield source, name, image if image.ndim == 3 else image[:, :, None], shown
