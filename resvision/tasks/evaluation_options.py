"""The options of an evaluation, and the protocol that they come to, in words."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from resvision.contracts import Batch
from resvision.kinds.prediction_options import PredictionOptions


def unwatched(images: int, total: int) -> None:
    """Take in how many images were scored, and do nothing."""


class How(NamedTuple):
    """The options of an evaluation; None leaves one to the task.

    batch_size  images, or views of them, at a time
    grey        turn colour into grey for a net that takes grey
    compiled    compile the net first
    protocol    a name of the kind's protocols
    scales      shorter sides of the resized images in pixels, in place of the protocol's
    watch       called with the number of images that were scored since the last call, and of all that are to be
    prediction  what counts as found, for a task that finds things
    """

    batch_size: int | None = None
    grey: bool = False
    compiled: bool | None = None
    protocol: str | None = None
    scales: tuple[int, ...] | None = None
    watch: Callable[[int, int], None] = unwatched
    prediction: PredictionOptions = PredictionOptions()

    def watched(self, batches: Iterable[Batch], total: int) -> Iterator[Batch]:
        """Yield the batches, and tell `watch` of each once it was scored."""
        for batch in batches:
            yield batch
            self.watch(len(batch.ids), total)


class Described(NamedTuple):
    """A protocol described for one model: in a line, in further lines, and as plain data for `--json`."""

    title: str
    lines: tuple[str, ...]
    json: Any
