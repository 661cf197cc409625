"""Readings of weights that cannot tell what net they are of, judged by labelled images."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from resvision import catalog
from resvision.assembly import UNKNOWN_DATA, NetWeights, weights_run
from resvision.conversion import Fitted, Reading
from resvision.core.views import View
from resvision.inference.evaluate import open_data
from resvision.inference.load import build_trained
from resvision.inference.weights_file import Known, classes_of, view_of
from resvision.kinds.kind import Kind, Scores
from resvision.kinds.table import kind_of
from resvision.tasks import How, unwatched
from resvision.training.machine import Machine, at_work


class Verified(NamedTuple):
    """A reading of weights, and its scores on labelled images."""

    reading: Reading
    scores: Scores


class Verification:
    """The scores of weights on labelled images, a reading at a time.

    view    how images are shown: as a person says, or as the file or else the images have it
    images  how many there are
    classes in the order of the logits, those of the images where nobody names others
    """

    def __init__(self, file: Path, fitted: Fitted, known: Known, own: View | None, *, data: str) -> None:
        """Open the images; DataError where they cannot be, SettingsError where they do not go with the weights."""
        self._file, self._fitted = file, fitted
        task = catalog.find(fitted.model).task
        self.kind: Kind[Any, Any, Any] = kind_of(task)
        self._reader = open_data(data, task)
        channels = int(fitted.options.get("in_channels") or self._reader.view.channels)
        self.view = view_of(fitted, known, own or self._reader.view.coloured(channels), asked_by=str(file))
        names = known.classes or self._reader.classes
        self.classes = classes_of(file, fitted, names, option="--classes" if known.classes else "--verify")
        self.images = len(self._reader)

    def scores(self, readings: list[Reading], watch: Callable[[int, int], None] = unwatched) -> Iterator[Verified]:
        """Yield the scores of each reading; `watch` is that of `tasks.How`."""
        for reading in readings:
            options = {**self._fitted.options, **reading.options}
            weights = NetWeights(self._fitted.model, str(self._file), UNKNOWN_DATA, self.view, self.classes, options)
            run = weights_run(weights, Machine(device="cpu", precision="fp32"))
            trained = build_trained(run, self._fitted.read_as(reading), file=self._file)
            with at_work(trained.system, trained.machine):
                scores = trained.task.evaluate(trained, self._reader, How(grey=True, watch=watch))
            yield Verified(reading, scores)


def best(kind: Kind[Any, Any, Any], verified: list[Verified]) -> Reading | None:
    """The reading with the best main figure; None where another has the same."""
    sign = -1 if kind.higher_is_better else 1
    figures = sorted((sign * scored.scores.figures()[kind.main], place) for place, scored in enumerate(verified))
    tied = len(figures) > 1 and figures[0][0] == figures[1][0]
    return None if tied else verified[figures[0][1]].reading
