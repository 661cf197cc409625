"""Scores of whatever predicts, sample by sample: a run by torch and its bundle are judged by the same lines."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from resvision.core.errors import printable
from resvision.core.samples import Reader
from resvision.kinds.kind import Scores
from resvision.kinds.seen_samples import Seen
from resvision.prediction.predictions import seen_sample
from resvision.prediction.predictor import Predictor


def examined(
    model: Predictor,
    reader: Reader[Any],
    *,
    protocol: str | None = None,
    watch: Callable[[int], None] = lambda images: None,
) -> Scores:
    """Score a model on all samples of a reader, by one view of each.

    protocol  of the task; the usual one when left out
    watch     called with the number of samples that were scored since the last call

    Raises what `Kind.exam` raises, and DataError for an image that cannot be shown.
    """
    exam = model.kind.exam(model.card, reader, protocol)
    for numbers, seen in _batches(model, reader):
        for index, one, raw in zip(numbers, seen, model.raw(seen), strict=True):
            exam.add(index, raw, one, reader.target(index))
        watch(len(numbers))
    scores: Scores = exam.scores()
    return scores


def _batches(model: Predictor, reader: Reader[Any]) -> Iterator[tuple[Sequence[int], list[Seen]]]:
    """Yield indices and views of samples, as many as are best shown together; of one size, or one at a time."""
    samples = (
        (index, seen_sample(model, reader[index], name=printable(reader.source(index)), grey=True))
        for index in range(len(reader))
    )
    while batch := list(islice(samples, 1 if model.view.side_px is None else model.at_a_time)):
        yield [index for index, _ in batch], [seen for _, seen in batch]
