"""Trials of a study: runs in one folder, each carried out once, stopped and resumed at will."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from resvision.core import rundir
from resvision.launch import launch, require_same, resume
from resvision.report.read import read_record
from resvision.report.record import RunRecord
from resvision.run import Run


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run of a study: the model under one seed."""

    model: str
    seed: int
    run: Run

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.model}-seed{self.seed}"


@dataclass(frozen=True)
class Outcome:
    """A trial that has finished, and what its directory holds."""

    trial: Trial
    record: RunRecord

    @property
    def train_loss(self) -> float:
        """Mean training loss of the last epoch, while the weights changed."""
        return self.record.last_epoch_loss

    @property
    def train_error(self) -> float:
        """Share of wrong training images in the last epoch, 0..1."""
        return self.record.last_epoch_error

    @property
    def test_error(self) -> float:
        """Share of wrong test images, 0..1."""
        assert self.record.classified is not None, "a trial is read after it has finished"
        return self.record.classified.top1_error

    @property
    def seconds(self) -> float:
        """Time in training steps, loading included."""
        return self.record.seconds


def carry_out(folder: Path, trials: Iterable[Trial], console: Console) -> list[Outcome]:
    """Outcomes of the trials, in order: finished ones are read, begun ones resumed, the others started.

    RunError where a trial's folder holds another run.
    """
    return [_carry_out(folder / trial.name, trial, console) for trial in trials]


def _carry_out(folder: Path, trial: Trial, console: Console) -> Outcome:
    console.rule(trial.name)
    if not (folder / rundir.RUN).is_file():
        launch(trial.run, out=folder, console=console)
    elif read_record(folder).finished:
        require_same(folder, trial.run)
    else:
        resume(folder, asked=trial.run, console=console)
    return Outcome(trial, read_record(folder, name=trial.name))
