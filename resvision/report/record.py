"""The content of a run directory, as plain data for a page, whatever the run's task. Reaches no torch.

Glossary
    S steps that were made, E evaluations that were made
    figures and metrics that are shares are 0..1; NaN where the history does not hold one
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core import history
from resvision.core.samples import Drawing, Timing
from resvision.core.settings import leaves
from resvision.data.sets import Cutting
from resvision.kinds.kind import Kind
from resvision.kinds.table import USUAL

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Steps(NamedTuple):
    """The steps of a run as columns (S,): `step` from 1, `epoch` from 0, `images` of the batch, `seconds` it took.

    `metrics` holds all other numbers of their lines by name: `loss` and its terms, metrics of the system, `lr`.
    """

    step: Ints
    epoch: Ints
    seconds: Floats
    images: Ints
    metrics: dict[str, Floats]


class Evaluations(NamedTuple):
    """The evaluations of a run: steps done before each, (E,), and the figures by name of the split scored, (E,)."""

    step: Ints
    figures: dict[str, Floats]


class Tested(NamedTuple):
    """Figures by name of the weights after so many steps, on the split that is named."""

    split: str
    step: int
    figures: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """The content of a run directory.

    run            run.json as it stands
    kind           the torch-free half of the run's task
    environment    environment.json, empty before training began
    split          what the evaluations are of: validation where the run holds images out, test otherwise
    best_step      steps done at the best validation, 0 where there is none
    waited_enough  whether it waited for a better validation as long as it was to
    scores         of the result on the test images, as `kind` reads them; None before the end
    parameters     numbers in the weights, None before the first checkpoint
    """

    folder: Path
    name: str
    run: dict[str, Any]
    kind: Kind[Any, Any, Any]
    environment: dict[str, Any]
    steps: Steps
    evaluations: Evaluations
    split: str
    best_step: int
    waited_enough: bool
    scores: Any
    parameters: int | None

    def setting(self, path: str) -> Any:
        """The leaf of the Run at `a.b`, None where there is none."""
        return dict(leaves(self.run)).get(path)

    @property
    def cutting(self) -> Cutting:
        """The cuts of recordings and their drawings, as the run has them."""
        data = self.run["data"]
        timing, drawing = ({name: data.get(name) for name in form._fields} for form in (Timing, Drawing))
        return {"timing": Timing(**timing), "drawing": Drawing(**drawing)}

    @property
    def task_name(self) -> str:
        """The name of the run's task: of our table, or `package.module:TASK`."""
        return task_name_in(self.run)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in the training split, at least 1."""
        return max(1, int(self.setting("data.train_images")) // int(self.setting("training.batch_size")))

    @property
    def total_steps(self) -> int:
        """Steps that the run is to make."""
        length, _, unit = str(self.setting("training.duration")).partition(" ")
        return int(length) * (self.steps_per_epoch if unit == "epochs" else 1)

    @property
    def steps_done(self) -> int:
        """Steps that it has made."""
        return int(self.steps.step[-1]) if len(self.steps.step) else 0

    @property
    def stopped_early(self) -> bool:
        """Whether it ended before its last step, for want of a better validation."""
        return self.waited_enough and self.steps_done < self.total_steps

    @property
    def finished(self) -> bool:
        """Whether the run came to its end and was scored."""
        return self.scores is not None and (self.stopped_early or self.steps_done >= self.total_steps)

    @property
    def tested(self) -> Tested | None:
        """The scores of the result; before the end those of the latest evaluation, None before the first."""
        if self.scores is not None:
            return Tested(history.TEST, self.best_step or self.steps_done, self.scores.figures())
        if not len(self.evaluations.step):
            return None
        last = {name: float(column[-1]) for name, column in self.evaluations.figures.items()}
        return Tested(self.split, int(self.evaluations.step[-1]), last)

    def best(self, column: Floats) -> float | None:
        """The value of the best validation in a column (E,) of the evaluations, None where there is none."""
        at = np.flatnonzero(self.evaluations.step == self.best_step)
        return float(column[at[0]]) if len(at) else None

    def metric(self, name: str) -> Floats:
        """A metric at every step, (S,); NaN where the history does not hold it."""
        return self.steps.metrics.get(name, np.full(len(self.steps.step), np.nan))

    def last_epoch(self, metric: str) -> float:
        """Mean of a metric over the last epoch's worth of steps; NaN before the first step."""
        values = self.metric(metric)[-self.steps_per_epoch :]
        return float(values.mean()) if len(values) else float("nan")

    @property
    def images_per_s(self) -> float:
        """Median over the steps; NaN before the first."""
        return float(np.median(self.steps.images / self.steps.seconds)) if self.steps_done else float("nan")

    @property
    def seconds(self) -> float:
        """Time in training steps, without evaluations and checkpoints."""
        return float(self.steps.seconds.sum())


def task_name_in(run: Any) -> str:
    """The name of a Run's task; those of before there were several do not say it."""
    return str(dict(leaves(run)).get("model.task") or USUAL)
