"""What a run directory holds, as plain data for a page, whatever the run's task. Reaches no torch.

Glossary
    S steps that were made, E evaluations that were made
    errors are shares 0..1, of images or of pixels as the task has it; NaN where the history does not hold the figure
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.classification import scoring
from resvision.core import history, label_maps
from resvision.core.label_maps import SegmentationScores
from resvision.core.results import ClassificationScores
from resvision.core.settings import leaves

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Scores = ClassificationScores | SegmentationScores


class Kind(NamedTuple):
    """What sets the runs of a task apart.

    scores     of the plain data in evaluation.json
    judged_by  figures that say which weights are best, as `training.best` takes them
    figures    what an evaluation in the history holds
    error      share of wrong images or pixels, of such figures
    """

    scores: Callable[[dict[str, Any]], Scores]
    judged_by: tuple[str, ...]
    figures: tuple[str, ...]
    error: Callable[[dict[str, Floats]], Floats]

    @property
    def main(self) -> str:
        """The figure that runs are compared by."""
        return self.judged_by[0].removeprefix("-")


KINDS = {
    "classification": Kind(
        ClassificationScores.from_json,
        scoring.JUDGED_BY,
        ("loss", "top1_error", "top5_error"),
        lambda figures: figures["top1_error"],
    ),
    "segmentation": Kind(
        SegmentationScores.from_json,
        label_maps.JUDGED_BY,
        ("loss", "mean_iou", "pixel_accuracy"),
        lambda figures: 1 - figures["pixel_accuracy"],
    ),
}


class Steps(NamedTuple):
    """The steps of a run as columns (S,): `step` from 1, `epoch` from 0, `images` of the batch, `seconds` it took."""

    step: Ints
    epoch: Ints
    loss: Floats
    error: Floats
    lr: Floats
    seconds: Floats
    images: Ints


class Evaluations(NamedTuple):
    """The evaluations of a run: steps done before each, (E,), and by name what the split gave that was scored, (E,)."""

    step: Ints
    figures: dict[str, Floats]


class Tested(NamedTuple):
    """Figures by name of the weights after so many steps, on the split that is named."""

    split: str
    step: int
    figures: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a run directory holds.

    run            run.json as it stands
    environment    environment.json, empty before training began
    split          what the evaluations are of: validation where the run holds images out, test otherwise
    best_step      steps done at the best validation, 0 where there is none
    stopped_early  whether it waited for a better validation as long as it was to
    scores         of the result on the test images, None before the end
    parameters     numbers in the weights, None before the first checkpoint
    """

    folder: Path
    name: str
    run: dict[str, Any]
    environment: dict[str, Any]
    steps: Steps
    evaluations: Evaluations
    split: str
    best_step: int
    stopped_early: bool
    scores: Scores | None
    parameters: int | None

    def setting(self, path: str) -> Any:
        """The leaf of the Run at `a.b`, None where there is none."""
        return dict(leaves(self.run)).get(path)

    @property
    def task(self) -> str:
        """A key of KINDS."""
        return task_of(self.run)

    @property
    def classified(self) -> ClassificationScores | None:
        """The scores of a classifier, None for another task and before the end."""
        return self.scores if isinstance(self.scores, ClassificationScores) else None

    @property
    def segmented(self) -> SegmentationScores | None:
        """The scores of label maps, None for another task and before the end."""
        return self.scores if isinstance(self.scores, SegmentationScores) else None

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

    @property
    def errors(self) -> Floats:
        """Share of wrong images, or pixels, at every evaluation, (E,)."""
        return KINDS[self.task].error(self.evaluations.figures)

    def best(self, column: Floats) -> float | None:
        """The value of the best validation in a column (E,) of the evaluations, None where there is none."""
        at = np.flatnonzero(self.evaluations.step == self.best_step)
        return float(column[at[0]]) if len(at) else None

    @property
    def last_epoch_loss(self) -> float:
        """Mean training loss of the last epoch's worth of steps; NaN before the first step."""
        return _mean(self.steps.loss[-self.steps_per_epoch :])

    @property
    def last_epoch_error(self) -> float:
        """Mean training error of the last epoch's worth of steps; NaN before the first step."""
        return _mean(self.steps.error[-self.steps_per_epoch :])

    @property
    def images_per_s(self) -> float:
        """Median over the steps; NaN before the first."""
        return float(np.median(self.steps.images / self.steps.seconds)) if self.steps_done else float("nan")

    @property
    def seconds(self) -> float:
        """Time in training steps, without evaluations and checkpoints."""
        return float(self.steps.seconds.sum())


def task_of(run: Any) -> str:
    """The task of a Run; those of before there were several do not say it."""
    return str(dict(leaves(run)).get("model.task") or "classification")


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")
