"""Predictions one after another: files, or samples in them, shown to a model a few at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from resvision.core.errors import DataError
from resvision.core.images import Pixels
from resvision.core.samples import Sample
from resvision.kinds.kind import Result
from resvision.kinds.prediction_options import PredictionOptions
from resvision.kinds.seen_samples import Seen
from resvision.prediction.predictor import AnyPredictor, Predictor
from resvision.prediction.sample_files import FileSample, SampleFiles
from resvision.prediction.sources import Picture, Source, decoded, name_of, sources_of

AS_TRAINED = PredictionOptions()
"""Where a person asks for nothing else."""


class Predicted(NamedTuple):
    """The result for one image: the source as it was named, or a sample in it, the image (H, W, C), and the result."""

    source: Source | FileSample
    image: Pixels
    result: Any


def results_of(
    model: Predictor,
    images: Picture | Iterable[Picture],
    *,
    top: int | None = None,
    grey: bool = False,
    only: str | Sequence[str] = (),
    options: PredictionOptions = AS_TRAINED,
) -> list[Any]:
    """The results for images, in their order; `resvision.predict` explains the arguments.

    Raises SettingsError for options that the task does not take, DataError for images that cannot be used.
    """
    wanted = (only,) if isinstance(only, str) else (*only,)
    model.kind.require_options({"top": top is not None, "only": bool(wanted), **options.given()})
    sources = sources_of(images, endings=model.kind.file_endings)
    predictions = predicted(showing(model, options), sources, grey=grey, only=wanted)
    return [model.kind.limited(prediction.result, top) for prediction in predictions]


def showing(model: AnyPredictor, options: PredictionOptions) -> AnyPredictor:
    """The model with what a person asks of its predictions, and the kind's usual score where none is named."""
    if options.score is None:
        options = options._replace(score=model.kind.usual_score)
    return model.configured(options)


def predicted(
    model: Predictor,
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
    images = seen_sources(model, sources, grey, failed, only=only)
    for first in images:
        # what is brought beside an image may take longer than the net, so nobody waits for that of 64
        is_alone = model.view.side_px is None or first[1].beside is not None
        batch = [first, *islice(images, 0 if is_alone else model.at_a_time - 1)]
        raw_results = model.raw([seen for _, seen in batch])
        for (source, seen), raw in zip(batch, raw_results, strict=True):
            result = model.kind.decode(raw, seen.geometry, source=seen.name, classes=model.classes)
            yield Predicted(source, seen.image, result)


def result_of(model: Predictor, sample: Sample[Any], *, name: str, grey: bool = False) -> Result:
    """Predict one labelled sample; DataError where it does not fit the net."""
    seen = seen_sample(model, sample, name=name, grey=grey)
    (raw,) = model.raw([seen])
    result: Result = model.kind.decode(raw, seen.geometry, source=name, classes=model.classes)
    return result


def seen_by(model: Predictor, image: Pixels, *, name: str, grey: bool = False) -> Seen:
    """One decoded image (H, W) or (H, W, C) as the net sees it; DataError where it does not fit the net."""
    seen = Seen(*model.view.show(image, name=name, grey=grey), name, image)
    return seen._replace(beside=model.beside(seen))


def seen_sample(model: Predictor, sample: Sample[Any], *, name: str, grey: bool = False) -> Seen:
    """One labelled sample as the net sees it; DataError where it does not fit the net."""
    seen = model.seen_sample(sample, name)
    return seen_by(model, sample.image, name=name, grey=grey) if seen is None else seen


def seen_sources(
    model: Predictor,
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
    samples = SampleFiles(model, only)
    for position, source in enumerate(sources):
        try:
            pieces = _pieces(source, samples)
        except DataError as error:
            failed(error)
            continue
        for piece in pieces:
            try:
                seen = _seen(model, piece, samples, position, grey=grey)
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


def _seen(model: Predictor, piece: Source | FileSample, samples: SampleFiles, position: int, *, grey: bool) -> Seen:
    if isinstance(piece, FileSample):
        return samples.seen(piece)
    name = name_of(piece, position)
    image = decoded(piece, name=name)
    return seen_by(model, image if image.ndim == 3 else image[:, :, None], name=name, grey=grey)


def _raised(error: DataError) -> None:
    raise error
