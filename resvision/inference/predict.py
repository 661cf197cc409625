"""Prediction: the results of a trained run for files, Pillow images, arrays and tensors."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from resvision.contracts import PixelSystem
from resvision.core.errors import DataError, SettingsError
from resvision.core.images import Pixels
from resvision.core.samples import Sample
from resvision.inference.load import Trained, load
from resvision.inference.sample_files import FileSample, SampleFiles
from resvision.inference.sources import Picture, Source, decoded, name_of, sources_of
from resvision.kinds.kind import Result
from resvision.kinds.prediction_options import PredictionOptions
from resvision.tasks import Seen
from resvision.training.machine import at_work

BATCH_SIZE = 64
"""Images that are shown to a net at a time, where all become one size."""


class Predicted(NamedTuple):
    """The result for one image: the source as it was named, or a sample in it, the image (H, W, C), and the result."""

    source: Source | FileSample
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
    proposals: str | None = None,
    only: str | Sequence[str] = (),
) -> list[Any]:
    """Predict images, in their order: ClassScores, LabelMap, Detections, or the result of the run's own task for each.

    images  one or several: files, folders (all their files, in order of name), Pillow images, arrays (H, W) or
            (H, W, C), tensors (H, W) or (C, H, W), or batches of these, (N, H, W, C) and (N, C, H, W). Values are
            uint8, or floats 0..1; the model resizes and normalizes them itself
    top     how many classes to give, all when left out; SettingsError where the task has no ranked classes
    grey    turn colour into grey for a net that was trained on grey images

    Five are for tasks that find things in images, and a SettingsError for others:
    score     the score above which a find is given, 0..1; 0.3 for boxes when left out
    iou       of two finds that overlap by more, 0..1, the one of lower score is left out
    suppress  the classes among which that is so: `per-class`, `all`, or groups of names such as "cat,dog;car,bus"
    most      the most finds of an image
    proposals  file of the regions to look at, for a net that looks at given ones; they are searched for when left out

    One is for tasks whose files hold several samples, such as recorded tracks:
    only      names of the samples to predict, or patterns of names with `*` and `?`; those that the task thinks usual
              when left out

    Raises DataError, which names the image, for one that cannot be decoded or does not fit the net.
    """
    trained = run if isinstance(run, Trained) else load(run)
    options = PredictionOptions(score, iou, suppress, most, proposals)
    wanted = (only,) if isinstance(only, str) else (*only,)
    trained.kind.require_options({"top": top is not None, "only": bool(wanted), **options.given()})
    predictions = predicted(
        showing(trained, options), sources_of(images, endings=trained.kind.file_endings), grey=grey, only=wanted
    )
    return [trained.kind.limited(prediction.result, top) for prediction in predictions]


def showing(trained: Trained, options: PredictionOptions) -> Trained:
    """The run with what a person asks of its predictions, and the kind's usual score where none is named."""
    if options.score is None:
        options = options._replace(score=trained.kind.usual_score)
    return trained.task.configured(trained, options)


def predicted(
    trained: Trained,
    sources: Iterable[Source | FileSample],
    *,
    grey: bool = False,
    only: Sequence[str] = (),
    failed: Callable[[DataError], None] | None = None,
) -> Iterator[Predicted]:
    """Yield the result for each source, or for each sample in it, in order, a batch at a time.

    only    names or patterns of the samples of a file that holds several
    failed  takes the error of each source that cannot be used, which is left out; without it the DataError is raised
    """
    images = seen_sources(trained, sources, grey, failed, only=only)
    for first in images:
        # what is brought beside an image may take longer than the net, so nobody waits for that of 64
        is_alone = trained.view.side_px is None or first[1].beside is not None
        batch = [first, *islice(images, 0 if is_alone else BATCH_SIZE - 1)]
        raw_results = _raw(trained, [seen for _, seen in batch])
        for (source, seen), raw in zip(batch, raw_results, strict=True):
            result = trained.kind.decode(raw, seen.geometry, source=seen.name, classes=trained.classes)
            yield Predicted(source, seen.image, result)


def result_of(trained: Trained, sample: Sample[Any], *, name: str, grey: bool = False) -> Result:
    """Predict one labelled sample; DataError where it does not fit the net."""
    seen = seen_sample(trained, sample, name=name, grey=grey)
    (raw,) = _raw(trained, [seen])
    result: Result = trained.kind.decode(raw, seen.geometry, source=name, classes=trained.classes)
    return result


def seen_by(trained: Trained, image: Pixels, *, name: str, grey: bool = False) -> Seen:
    """One decoded image (H, W) or (H, W, C) as the net sees it; DataError where it does not fit the net."""
    seen = Seen(*trained.view.show(image, name=name, grey=grey), name, image)
    return seen._replace(beside=trained.task.beside(trained, seen))


def seen_sample(trained: Trained, sample: Sample[Any], *, name: str, grey: bool = False) -> Seen:
    """One labelled sample as the net sees it; DataError where it does not fit the net."""
    seen = trained.task.seen_sample(trained, sample, name)
    return seen_by(trained, sample.image, name=name, grey=grey) if seen is None else seen


def inputs_of(trained: Trained, images: Picture | Iterable[Picture], *, grey: bool = False) -> Tensor:
    """The inputs of the net for images, (N, C, H, W) float32 on its device: seen through the run's view, normalized.

    Raises DataError as `predict` does, and where images become of different sizes; SettingsError for a system that
    does not normalize pixels.
    """
    if not isinstance(trained.system, PixelSystem):
        raise SettingsError(f"{type(trained.system).__name__}: does not normalize pixels; its `predict` takes inputs")
    decoded_images = ((name_of(source, position), source) for position, source in enumerate(sources_of(images)))
    pixels = [
        trained.view.show(decoded(source, name=name), name=name, grey=grey).pixels for name, source in decoded_images
    ]
    if len(sizes := {view.shape for view in pixels}) != 1:
        listed = ", ".join(f"{height}x{width}" for height, width, _ in sorted(sizes)[:5]) or "no images"
        raise DataError(f"inputs of one size are needed, not {listed}; give images of one size, or one at a time")
    stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
    return trained.system.normalized(stacked.to(trained.system.mean.device)).contiguous()


def _raw(trained: Trained, seen: list[Seen]) -> list[Any]:
    with at_work(trained.system, trained.machine):
        return trained.task.raw(trained, seen)


def seen_sources(
    trained: Trained,
    sources: Iterable[Source | FileSample],
    grey: bool,
    failed: Callable[[DataError], None] | None,
    *,
    only: Sequence[str] = (),
) -> Iterator[tuple[Source | FileSample, Seen]]:
    """Yield each source that can be shown, or each sample in it, as the net sees it; errors of others go to `failed`.

    Images are (H, W, C).
    """
    failed = failed or _raised
    samples = SampleFiles(trained, only)
    for position, source in enumerate(sources):
        try:
            pieces = _pieces(source, samples)
        except DataError as error:
            failed(error)
            continue
        for piece in pieces:
            try:
                seen = _seen(trained, piece, samples, position, grey=grey)
            except DataError as error:
                failed(error)
            else:
                yield piece, seen
    try:
        samples.require_met()
    except DataError as error:
        failed(error)


def _pieces(source: Source | FileSample, samples: SampleFiles) -> Sequence[Source | FileSample]:
    """The samples of a file that holds several; of anything else the source alone."""
    inside = samples.samples(source) if isinstance(source, Path) else None
    return [source] if inside is None else inside


def _seen(trained: Trained, piece: Source | FileSample, samples: SampleFiles, position: int, *, grey: bool) -> Seen:
    if isinstance(piece, FileSample):
        return samples.seen(piece)
    name = name_of(piece, position)
    image = decoded(piece, name=name)
    return seen_by(trained, image if image.ndim == 3 else image[:, :, None], name=name, grey=grey)


def _raised(error: DataError) -> None:
    raise error
