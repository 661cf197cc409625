"""Trials of a study: runs in one folder; each is carried out once, and may be stopped and resumed at any time."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from resvision.core import rundir
from resvision.core.settings import to_json
from resvision.launch import launch, require_same, resume
from resvision.report.read import read_record
from resvision.report.record import RunRecord
from resvision.run import Run, code_in_run, require_same_code
from resvision.training.stopping import GoingOn


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run of a study: the model under one seed, or what `label` says."""

    model: str
    seed: int
    run: Run
    label: str = ""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.label or f"{self.model}-seed{self.seed}"


@dataclass(frozen=True)
class Outcome:
    """A trial that has finished, and the content of its directory."""

    trial: Trial
    record: RunRecord

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
        """Time in training steps, loading included."""
        return self.record.seconds


def carry_out(folder: Path, trials: Iterable[Trial], console: Console) -> list[Outcome]:
    """Outcomes of the trials, in order: finished ones are read, begun ones resumed, the others started.

    RunError where a trial's folder holds another run.
    """
    with GoingOn("the same command"):
        return [_carry_out(folder / trial.name, trial, console) for trial in trials]


def _carry_out(folder: Path, trial: Trial, console: Console) -> Outcome:
    console.rule(trial.name)
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
