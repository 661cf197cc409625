"""The scorer of a run: of its weights on the way, and of its result at the end."""

from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from resvision.assembly import Assembly, Exam
from resvision.core.progress import Bar
from resvision.kinds.kind import Scores
from resvision.run import Run
from resvision.training.checkpoints import load_weights
from resvision.training.ema import MovingAverage
from resvision.training.loop import Line
from resvision.training.stopping import StopSignals


class Evaluator:
    """The scorer of a run: of its weights, or their average, during training, and of its result at the end.

    On `console` it shows a bar while it takes more than a moment.
    """

    def __init__(self, run: Run, built: Assembly, average: MovingAverage | None, *, console: Console) -> None:
        self._run, self._built, self._average, self._console = run, built, average, console
        self._latest: Scores | None = None

    def summary(self, stop: StopSignals) -> Line:
        """Score the current weights, and return the fields of a history line: the split and its figures."""
        exam = self._built.on_the_way
        with self._average.in_place_of_weights() if self._average else nullcontext():
            self._latest = scores = self._scores(exam, stop)
        return {"split": exam.split, "evaluation": scores.figures()}

    def final(self, weights: Path, stop: StopSignals) -> Scores:
        """Score the run's result on the test images; the latest evaluation serves where it scored the same."""
        if self._latest is not None and self._built.on_the_way is self._built.at_the_end:
            return self._latest
        load_weights(self._built.system.net, weights)
        return self._scores(self._built.at_the_end, stop)

    def _scores(self, exam: Exam, stop: StopSignals) -> Scores:
        with Bar(self._console, "evaluating", total=len(exam.images)) as bar:
            return exam.score(self._built.system, machine=self._run.machine, stop=stop, watch=bar.advance)
