"""Trials of a study: trainings in one folder; each is carried out once, and may be stopped and resumed at any time.

A trial that diverged would diverge again from its last checkpoint, so its folder remembers the error, and it is left.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console

from resvision.catalog import find
from resvision.core import references, rundir
from resvision.core.errors import NonFiniteLossError, RunError
from resvision.core.settings import to_json
from resvision.core.terminal import tell
from resvision.fit_phase import fit_seconds
from resvision.launch import launch, require_same, resume
from resvision.phases import has_phases, launch_phases, phases_in, require_same_phases, resume_phases
from resvision.report.read import read_record
from resvision.report.record import RunRecord
from resvision.run import Run, code_in_run, read_run, require_same_code
from resvision.training.stopping import GoingOn
from resvision.training_graph import Phase, RunPhase, folder_name


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training of a study: the model under one seed, or what `label` says.

    run     the training, or the last run of several phases, whose directory holds the result
    phases  all phases of a recipe that has several; none of one that is a run
    """

    model: str
    seed: int
    run: Run
    label: str = ""
    phases: tuple[Phase, ...] = ()

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.label or f"{self.model}-seed{self.seed}"

    @property
    def first_run(self) -> Run:
        """The run that trains, of several phases the first: those after it share its settings but for the length."""
        return next((phase.run for phase in self.phases if isinstance(phase, RunPhase)), self.run)


@dataclass(frozen=True)
class Outcome:
    """A trial that has finished, the content of its directory, and the time of the phases before its last run."""

    trial: Trial
    record: RunRecord
    earlier_seconds: float = 0.0

    def trained(self, metric: str) -> float:
        """Mean of a metric of training over the last epoch, while the weights changed."""
        return self.record.last_epoch(metric)

    @property
    def tested(self) -> float:
        """The main figure of the trial's kind on the test images."""
        assert self.record.scores is not None, "a trial is read after it has finished"
        return float(self.record.scores.figures()[self.record.kind.main])

    @property
    def seconds(self) -> float:
        """Time in training steps, loading included, and in fits."""
        return self.earlier_seconds + self.record.seconds


class Diverged(NamedTuple):
    """A trial whose loss became no number, its folder, and the error that says so."""

    trial: Trial
    folder: Path
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.trial.name} diverged: {self.reason}; it is not trained again, unless {self.folder} is removed first"
        )


@dataclass(frozen=True, kw_only=True)
class KeptDivergence:
    """The content of `diverged.json`."""

    reason: str


def attempt(folder: Path, trial: Trial, console: Console) -> Outcome | Diverged:
    """The outcome of one trial in its folder: read where it ended, well or not, gone on with where it was begun.

    RunError where the folder holds another run.
    """
    outcome = _attempt(folder, trial, console)
    if isinstance(outcome, Diverged):
        tell(console, str(outcome))
    return outcome


def has_diverged(folder: Path, trial: Trial) -> bool:
    """Whether a trial diverged in its folder, and was not brought to its end since."""
    return (folder / rundir.DIVERGED).is_file() and finished_folder(folder, trial) is None


def finished_folder(folder: Path, trial: Trial) -> Path | None:
    """The run directory with the result of a trial in its folder, None where the trial is not finished."""
    last = folder / folder_name(len(trial.phases), trial.phases[-1].name) if trial.phases else folder
    return last if (last / rundir.EVALUATION).is_file() else None


def carry_out(folder: Path, trials: Iterable[Trial], console: Console) -> list[Outcome]:
    """Outcomes of the trials, in order: finished ones are read, begun ones resumed, the others started.

    RunError where a trial's folder holds another run.
    """
    with GoingOn("the same command"):
        return [require_outcome(_attempt(folder / trial.name, trial, console)) for trial in trials]


def require_outcome(outcome: Outcome | Diverged) -> Outcome:
    """The outcome of a trial; NonFiniteLossError where it diverged."""
    if isinstance(outcome, Diverged):
        raise NonFiniteLossError(str(outcome))
    return outcome


def _attempt(folder: Path, trial: Trial, console: Console) -> Outcome | Diverged:
    console.rule(trial.name)
    if has_diverged(folder, trial):
        _require_same(folder, trial)
        return Diverged(trial, folder, _kept_reason(folder / rundir.DIVERGED))
    try:
        return _carry_out(folder, trial, console)
    except NonFiniteLossError as error:
        rundir.write_json(folder / rundir.DIVERGED, to_json(KeptDivergence(reason=str(error))))
        return Diverged(trial, folder, str(error))


def _require_same(folder: Path, trial: Trial) -> None:
    if trial.phases:
        require_same_phases(folder, trial.phases)
    else:
        require_same(folder, trial.run)


def _kept_reason(path: Path) -> str:
    try:
        return msgspec.convert(rundir.read_json(path), KeptDivergence).reason
    except msgspec.ValidationError as error:
        raise RunError(f"{path}: does not say why a training diverged: {error}; remove its folder") from None


def _carry_out(folder: Path, trial: Trial, console: Console) -> Outcome:
    if trial.phases:
        return _carry_out_phases(folder, trial, console)
    own_code = bool(code_in_run(to_json(trial.run)))  # whoever asked for the study has named it
    if (folder / rundir.RUN).is_file():
        require_same_code(folder, trial.run)
    if not (folder / rundir.RUN).is_file():
        launch(trial.run, out=folder, console=console)
    elif read_record(folder, allow_code=own_code).finished:
        require_same(folder, trial.run)
    else:
        resume(folder, asked=trial.run, allow_code=own_code, console=console)
    return Outcome(trial, read_record(folder, name=trial.name, allow_code=own_code))


def _carry_out_phases(folder: Path, trial: Trial, console: Console) -> Outcome:
    if has_phases(folder):
        require_same_phases(folder, trial.phases)
        resume_phases(folder, allow_code=True, console=console)  # whoever asked for the study has named their code
    else:
        launch_phases(trial.phases, out=folder, console=console)
    return _outcome_of_phases(trial, folder)


def outcome_in(folder: Path) -> Outcome:
    """The outcome of a training that is finished, of a run or of several phases; RunError where it is not.

    Its model is that of the last run, with the recipe behind it where that is not the model's own.
    """
    phases = phases_in(folder) if has_phases(folder) else ()
    last = rundir.require(folder / folder_name(len(phases), phases[-1].name) if phases else folder)
    if not (last / rundir.EVALUATION).is_file():
        raise RunError(f"{folder}: is no finished run; go on with it by train --resume {folder}, or leave it out")
    run = read_run(last, allow_code=True)
    name = run.model.name
    usual = references.is_reference(name) or run.recipe == find(name).recipe
    trial = Trial(
        model=name if usual else f"{name} ({run.recipe})",
        seed=run.training.seed,
        run=run,
        label=folder.resolve().name,
        phases=phases,
    )
    if phases:
        return _outcome_of_phases(trial, folder)
    return Outcome(trial, read_record(folder, name=trial.name, allow_code=True))


def _outcome_of_phases(trial: Trial, folder: Path) -> Outcome:
    *earlier, last = [folder / folder_name(number, phase.name) for number, phase in enumerate(trial.phases, start=1)]
    seconds = [_seconds(place, phase) for place, phase in zip(earlier, trial.phases, strict=False)]
    return Outcome(trial, read_record(last, name=trial.name, allow_code=True), sum(seconds))


def _seconds(folder: Path, phase: Phase) -> float:
    """The time of a phase: in training steps of a run, in the function of a fit."""
    return read_record(folder, allow_code=True).seconds if isinstance(phase, RunPhase) else fit_seconds(folder)
