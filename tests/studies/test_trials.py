"""Trials that diverge: the error is remembered, the training left, and tried again once its folder is gone."""

import shutil
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from resvision.core import rundir
from resvision.core.errors import NonFiniteLossError, RunError
from resvision.recipes import compose
from resvision.studies.trials import Diverged, Outcome, Trial, attempt, carry_out

TINY = {
    "model.options.width": 2,
    "data.image_size": 8,
    "machine.precision": "fp32",
    "machine.threads": 1,
    "training.duration": "2 steps",
}


def trial_of(rate: float) -> Trial:
    run = compose("plain20", "digits", changes={**TINY, "optimizer.lr": rate, "schedule.warmup": 0})
    return Trial(model="wild", seed=0, run=run)


WILD = trial_of(1e30)


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study whose only trial diverged."""
    folder = tmp_path_factory.mktemp("study")
    assert isinstance(attempt(folder / WILD.name, WILD, Console(quiet=True)), Diverged)
    return folder


def attempted(folder: Path, trial: Trial = WILD) -> tuple[Outcome | Diverged, str]:
    with StringIO() as said:
        outcome = attempt(folder / trial.name, trial, Console(file=said, width=300))
        return outcome, said.getvalue()


def test_what_diverged_is_named_and_left_when_the_study_goes_on(wild: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in wild.rglob("*")}
    outcome, said = attempted(wild)
    assert isinstance(outcome, Diverged)
    assert "the loss is not finite at step 2" in outcome.reason
    assert f"wild-seed0 diverged: {outcome.reason}" in said
    assert f"unless {wild / WILD.name} is removed" in said
    assert {path: path.stat().st_mtime_ns for path in wild.rglob("*")} == before


def test_what_diverged_is_trained_again_once_its_folder_is_gone(wild: Path, tmp_path: Path) -> None:
    shutil.copytree(wild, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / WILD.name)
    outcome, _ = attempted(tmp_path, trial_of(0.01))
    assert isinstance(outcome, Outcome)
    assert not (tmp_path / WILD.name / rundir.DIVERGED).exists()


def test_other_settings_do_not_pass_for_what_diverged(wild: Path) -> None:
    with pytest.raises(RunError, match=r"optimizer\.lr is 1e\+30, asked 0\.01"):
        attempted(wild, trial_of(0.01))


def test_a_study_that_needs_every_trial_says_again_which_diverged(wild: Path) -> None:
    with pytest.raises(NonFiniteLossError, match="wild-seed0 diverged: the loss is not finite at step 2"):
        carry_out(wild, [WILD], Console(quiet=True))
