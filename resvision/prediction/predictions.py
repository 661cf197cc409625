"""Predictions one after another: files, or samples in them, shown to a model a few at a time."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from typing import Any, NamedTuple

from resvision.core.cores import usable_threads
from resvision.core.errors import DataError
from resvision.core.images import Pixels
from resvision.core.samples import Sample
from resvision.kinds.kind import Result
from resvision.kinds.prediction_options import PredictionOptions
from resvision.kinds.seen_samples import Seen
from resvision.prediction.entries import NO_IMAGE, Entry, entries_of
from resvision.prediction.ordered_work import ordered
from resvision.prediction.predictor import AnyPredictor, Predictor
from resvision.prediction.sample_files import FileSample
from resvision.prediction.sources import Picture, Source, sources_of

AS_TRAINED = PredictionOptions()
"""Where a person asks for nothing else."""

FEW = 4
"""Images up to which one is predicted after another: threads would not be worth their start."""


class Predicted(NamedTuple):
    """The result for one image: the source as it was named, or a sample in it, the image (H, W, C), and the result.

    The image is empty where none was asked for.
    """

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
    predictions = predicted(showing(model, options), sources, grey=grey, only=wanted, with_images=False)
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
    with_images: bool = True,
    threads: int | None = None,
) -> Generator[Predicted, None, None]:
    """Yield the result for each source, or for each sample in it, in order, a batch at a time.

    Of more than a few sources the next ones are decoded by threads meanwhile, and as many batches are predicted at once
    as the model has lanes. Batches, and so results to the last bit, are the same whatever the threads.

    only         names or patterns of the samples of a file that holds several
    failed       takes the error of each source that cannot be used, in its place among the results; without it the
                 DataError is raised
    with_images  whether images are wanted beside results; without them the memory for those under way is small
    threads      that decode, as many as there are cores where None; 0 does one thing after another
    """
    failed = failed or _raised
    sources = iter(sources)
    first = [*islice(sources, FEW + 1)]
    if len(first) <= FEW:
        threads = 0
    elif threads is None:
        threads = usable_threads()
    lanes = model.lanes if threads and model.lanes > 1 else 0

    def answered(batch: list[Entry]) -> list[Predicted | DataError]:
        return _answered(model, batch, with_images=with_images)

    keeps = with_images or not model.sees_views_alone
    entries = entries_of(model, chain(first, sources), grey, only, with_images=keeps, threads=threads)
    with closing(entries):
        batches = ordered(answered, _batches(model, entries), threads=lanes, ahead=lanes + 1)
        with closing(batches):
            for prediction in chain.from_iterable(batches):
                if isinstance(prediction, DataError):
                    failed(prediction)
                else:
                    yield prediction


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
    for entry in entries_of(model, sources, grey, only):
        if isinstance(entry, DataError):
            failed(entry)
        else:
            yield entry


def _batches(model: Predictor, entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield entries in batches of as many views as the model is best shown together; errors between them do not count.

    What is brought beside an image may take longer than the net, so nobody waits for that of 64.
    """
    batch: list[Entry] = []
    views = 0
    for entry in entries:
        batch.append(entry)
        if isinstance(entry, DataError):
            is_full = views == 0  # nobody waits for a view to be told of an error
        else:
            views += 1
            is_full = views == model.at_a_time or model.view.side_px is None or entry[1].beside is not None
        if is_full:
            yield batch
            batch, views = [], 0
    if batch:
        yield batch


def _answered(model: Predictor, batch: Sequence[Entry], *, with_images: bool) -> list[Predicted | DataError]:
    """The results for the views of a batch, and the errors, in their places."""
    seen = [entry[1] for entry in batch if not isinstance(entry, DataError)]
    raw_results = iter(model.raw(seen) if seen else ())
    return [
        entry if isinstance(entry, DataError) else _decoded(model, *entry, next(raw_results), with_images=with_images)
        for entry in batch
    ]


def _decoded(model: Predictor, source: Source | FileSample, seen: Seen, raw: Any, *, with_images: bool) -> Predicted:
    result = model.kind.decode(raw, seen.geometry, source=seen.name, classes=model.classes)
    return Predicted(source, seen.image if with_images else NO_IMAGE, result)


def _raised(error: DataError) -> None:
    raise error
