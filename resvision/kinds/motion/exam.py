"""The scoring of a motion net whose trajectories come from a graph, window by window."""

from resvision.core.errors import SettingsError
from resvision.core.samples import Reader
from resvision.kinds.model_card import ModelCard
from resvision.kinds.motion.results import RawTrajectories
from resvision.kinds.motion.scores import MotionScores
from resvision.kinds.motion.scoring import Tally
from resvision.kinds.motion.windows import Window
from resvision.kinds.seen_samples import Seen


class MotionExam:
    """The exam of all windows, a `kinds.kind.Exam`."""

    def __init__(self, model: ModelCard, reader: Reader[Window]) -> None:
        self._model, self._reader = model, reader
        self._tally = Tally(len(reader))

    def add(self, index: int, raw: RawTrajectories, seen: Seen, target: Window) -> None:
        """Take in the trajectories of a window; SettingsError where it has another number of steps."""
        steps = target.span.steps
        if raw.positions.shape[1] != steps:
            raise SettingsError(
                f"{self._reader.name}: windows have {steps} predicted steps, and {self._model.name} gives"
                f" {raw.positions.shape[1]}; cut them as the run does"
            )
        self._tally.add([index], raw.positions[None], raw.probabilities[None], [target])

    def scores(self) -> MotionScores:
        """Displacements beside those of the baselines; DataError where there is nothing to judge."""
        return self._tally.scores(self._reader.source)
