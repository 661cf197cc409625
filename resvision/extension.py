"""A run that goes on otherwise than it was begun: longer or shorter, with another patience, on other threads.

All of it is written into the Run, whose steps follow from it as those of any other: an extended run that is stopped
goes on to the same bits.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from resvision.assembly import task_name, total_steps
from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.history import read as read_history
from resvision.core.plurals import length_in_words
from resvision.core.settings import differences, with_leaf
from resvision.core.terminal import tell
from resvision.kinds.table import kind_of
from resvision.recipes.flags import FLAGS, changes_of
from resvision.run import Run
from resvision.training.best import BestSoFar
from resvision.training.checkpoints import Checkpoints

LATER = ("epochs", "patience", "threads", "proposals")
"""Flags that a run takes when it goes on."""

Scheduling = Literal["anew", "as-it-ended"]
"""The schedule of an extended run: laid anew over its whole length, or as it was, and then at its last rate."""


def extended(run: Run, folder: Path, flags: Mapping[str, Any], *, schedule: Scheduling | None, console: Console) -> Run:
    """The run in `folder` with the flags of LATER, and each change printed; the run itself where nothing changes.

    Raises SettingsError for other flags, and for a length that the run has passed; RunError where it cannot be
    trained further.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    if wrong := [name for name in given if name not in LATER]:
        words = ", ".join(f"--{name.replace('_', '-')}" for name in wrong)
        raise SettingsError(f"{words}: a run that goes on keeps its settings; of flags it takes {_named(LATER)}")
    if schedule is not None and "epochs" not in given:
        raise SettingsError("--schedule: says how the schedule goes on in a run of another length; name it by --epochs")
    changed = run
    for path, value in changes_of(given).items():
        changed = with_leaf(changed, path, value)
    done = _steps_done(folder)
    if changed.training.duration != run.training.duration:
        changed = _lengthened(run, changed, done, schedule or "anew", folder)
    if changed == run:
        return run
    _require_steps_to_make(changed, folder, done)
    for path, before, after in differences(run, changed):
        if path not in {"training.extended", "training.schedule_over"}:
            tell(console, f"{path}: {before} -> {after}, after step {done:,}")
    if changed.training.duration != run.training.duration:
        tell(console, _schedule_in_words(changed))
    return changed


def _lengthened(run: Run, changed: Run, done: int, schedule: Scheduling, folder: Path) -> Run:
    """The run with its new length, and with what it was before noted."""
    if total_steps(changed) < done:
        raise SettingsError(
            f"--epochs: {length_in_words(changed.training.duration)} have {total_steps(changed):,} steps, and {folder}"
            f" has made {done:,} of {total_steps(run):,}; ask for more"
        )
    training = run.training
    over = None if schedule == "anew" or not total_steps(run) else training.schedule_over or training.duration
    noted = (*training.extended, f"{training.duration} until step {done}")
    return replace(changed, training=replace(changed.training, schedule_over=over, extended=noted))


def _require_steps_to_make(run: Run, folder: Path, done: int) -> None:
    """Raise RunError where the optimizer's state is gone, or patience has ended the run for good."""
    if (last := Checkpoints(folder).last()) is not None:
        rundir.require_state(last)
    path = folder / rundir.HISTORY
    if run.training.patience is None or not path.exists():
        return
    lines = [line for line in read_history(path) if "evaluation" in line and line["step"] <= done]
    if BestSoFar(kind_of(task_name(run)).judged_by, patience=run.training.patience, lines=lines).waited_enough:
        raise RunError(
            f"{folder}: stopped early, for want of a better validation in {run.training.patience} evaluations; say a"
            " longer --patience too"
        )


def _steps_done(folder: Path) -> int:
    last = Checkpoints(folder).last()
    return 0 if last is None else int(last.name.removeprefix("step-"))


def _schedule_in_words(run: Run) -> str:
    if run.schedule.kind == "constant" and not run.schedule.warmup:
        return "schedule: constant"
    if run.training.schedule_over is None:
        return (
            f"schedule: {run.schedule.kind}, laid anew over all {length_in_words(run.training.duration)};"
            " --schedule as-it-ended keeps the last learning rate"
        )
    over = length_in_words(run.training.schedule_over)
    return f"schedule: {run.schedule.kind} over {over}, from then on the learning rate stays"


def _named(flags: tuple[str, ...]) -> str:
    return ", ".join(f"--{name}" for name in flags if name in FLAGS)
