"""A run directory, finished or not, as plain data for a page. Reaches no torch.

Glossary
    S steps that were made, E evaluations that were made
    errors are shares 0..1; NaN where a line of the history does not hold the figure
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from resvision.classification.scoring import JUDGED_BY
from resvision.core import history, rundir
from resvision.core.errors import RunError
from resvision.core.results import ClassificationScores
from resvision.core.settings import leaves
from resvision.training.best import BestSoFar

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_NEEDED = (
    "recipe",
    "model.name",
    "data.name",
    "data.train_images",
    "data.test_images",
    "training.batch_size",
    "training.duration",
    "machine.precision",
    "machine.device",
)


_COUNTS = ("data.train_images", "data.test_images", "training.batch_size")
_OPTIONAL = {
    "data.root": str,
    "data.channels": int,
    "data.image_size": int,
    "data.classes": list,
    "training.patience": int,
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
    """The evaluations of a run as columns (E,): steps done before each, and what the split gave that was scored."""

    step: Ints
    loss: Floats
    top1_error: Floats
    top5_error: Floats


class Tested(NamedTuple):
    """Figures of the weights after so many steps, on the split that is named."""

    split: str
    step: int
    loss: float
    top1_error: float
    top5_error: float


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
    scores: ClassificationScores | None
    parameters: int | None

    def setting(self, path: str) -> Any:
        """The leaf of the Run at `a.b`, None where there is none."""
        return dict(leaves(self.run)).get(path)

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
            step = self.best_step or self.steps_done
            return Tested(history.TEST, step, self.scores.loss, self.scores.top1_error, self.scores.top5_error)
        last = [column[-1].item() for column in self.evaluations if len(column)]
        return Tested(self.split, *last) if last else None

    @property
    def best_error(self) -> float | None:
        """Top-1 error of the best validation, None where there is none."""
        at = np.flatnonzero(self.evaluations.step == self.best_step)
        return float(self.evaluations.top1_error[at[0]]) if len(at) else None

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


def read_records(folders: Sequence[Path]) -> list[RunRecord]:
    """The runs in these directories, each once, under names that differ.

    Raises RunError for a directory that is missing, damaged or not of a run, and where none is named.
    """
    places = list({folder.resolve(): folder for folder in folders}.values())
    if not places:
        raise RunError("no run is named; name at least one run directory")
    return [read_record(folder, name=name) for folder, name in zip(places, _names(places), strict=True)]


def read_record(folder: Path, *, name: str | None = None) -> RunRecord:
    """The run in a directory, called by the directory's name unless another is given; RunError says what is wrong."""
    run = rundir.read_json(rundir.require(folder) / rundir.RUN)
    _check(run, folder / rundir.RUN)
    environment, evaluation = folder / rundir.ENVIRONMENT, folder / rundir.EVALUATION
    lines = folder / rundir.HISTORY
    steps, evaluations, split, best = _columns(lines, patience=dict(leaves(run)).get("training.patience"))
    return RunRecord(
        folder=folder,
        name=name or folder.resolve().name,
        run=run,
        environment=_object(environment) if environment.exists() else {},
        steps=steps,
        evaluations=evaluations,
        split=split,
        best_step=best.step,
        stopped_early=best.waited_enough,
        scores=_read(evaluation, ClassificationScores.from_json) if evaluation.exists() else None,
        parameters=_parameters(folder / rundir.CHECKPOINTS),
    )


def _object(path: Path) -> dict[str, Any]:
    found = rundir.read_json(path)
    if not isinstance(found, dict):
        raise RunError(f"{path}: damaged: expected a JSON object")
    return found


def _check(run: Any, path: Path) -> None:
    """RunError unless the Run is resolved: an object with all that the page speaks of."""
    there = dict(leaves(run)) if isinstance(run, dict) else {}
    missing = [key for key in _NEEDED if there.get(key) is None]
    if missing:
        raise RunError(f"{path}: not a run of this version of resvision, it lacks {', '.join(missing)}")
    if there.get("format") != rundir.RUN_FORMAT:
        found = f"{there.get('format')!r:.60}"
        raise RunError(f"{path}: format {found}, this version of resvision reads {rundir.RUN_FORMAT}")
    for key in _NEEDED:
        value, is_count = there[key], key in _COUNTS
        good = type(value) is int and value > 0 if is_count else isinstance(value, str)
        if not good or (key == "training.duration" and not re.fullmatch(rundir.DURATION, value)):
            raise RunError(f"{path}: {key} is {value!r:.60}, which no run of ours writes")
    for key, kind in _OPTIONAL.items():
        if there.get(key) is not None and type(there[key]) is not kind:
            raise RunError(f"{path}: {key} is {there[key]!r:.60}, which no run of ours writes")


def _names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    parts = [folder.resolve().parts for folder in folders]
    for depth in range(1, max(len(each) for each in parts)):
        names = ["/".join(each[-depth:]) for each in parts]
        if len(set(names)) == len(names):
            break
    return names


def _columns(path: Path, *, patience: int | None) -> tuple[Steps, Evaluations, str, BestSoFar]:
    """Steps, evaluations, the split that these are of, and the best of them."""
    lines = list(history.read(path)) if path.exists() else []
    evaluations = [line for line in lines if "evaluation" in line]
    try:
        steps, columns = _table(
            [line for line in lines if "evaluation" not in line],
            [{**line["evaluation"], "step": line["step"]} for line in evaluations],
        )
        split = evaluations[-1]["split"] if evaluations else history.TEST
        return steps, columns, split, BestSoFar(JUDGED_BY, patience=patience, lines=evaluations)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(f"{path}: damaged: {type(error).__name__}: {error}") from None


def _table(steps: list[dict[str, Any]], evaluations: list[dict[str, Any]]) -> tuple[Steps, Evaluations]:
    def whole(lines: list[dict[str, Any]], key: str) -> Ints:
        return np.array([line[key] for line in lines], dtype=np.int64)

    def figures(lines: list[dict[str, Any]], key: str) -> Floats:
        return np.array([line.get(key, np.nan) for line in lines], dtype=np.float64)

    return Steps(
        step=whole(steps, "step"),
        epoch=whole(steps, "epoch"),
        loss=figures(steps, "loss"),
        error=figures(steps, "error"),
        lr=figures(steps, "lr"),
        seconds=np.maximum(figures(steps, "seconds"), 1e-9),
        images=whole(steps, "images"),
    ), Evaluations(
        step=whole(evaluations, "step"),
        loss=figures(evaluations, "loss"),
        top1_error=figures(evaluations, "top1_error"),
        top5_error=figures(evaluations, "top5_error"),
    )


def _read(path: Path, make: Callable[[Any], ClassificationScores]) -> ClassificationScores:
    try:
        return make(rundir.read_json(path))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(f"{path}: damaged: {type(error).__name__}: {error}") from None


def _parameters(checkpoints: Path) -> int | None:
    """Numbers in the newest checkpoint's weights; the running statistics of batch norm are not parameters."""
    try:
        place = checkpoints / (checkpoints / rundir.LAST).read_text(encoding="utf-8").strip()
        with safe_open(os.fspath(place / rundir.WEIGHTS), framework="numpy") as file:
            names = [name for name in file.keys() if not name.endswith(_STATISTICS)]  # noqa: SIM118 - not a mapping
            return sum(int(prod(file.get_slice(name).get_shape())) for name in names)
    except (OSError, SafetensorError):
        return None


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")
