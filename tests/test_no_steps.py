"""Runs of no steps: their weights are those that they start with, and they are scored once."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from support import TINY

import resvision
from resvision.core import rundir
from resvision.core.errors import SettingsError
from resvision.launch import Finished, launch, resume
from resvision.recipes import compose, compose_phases
from resvision.report.page import write_report
from resvision.training.checkpoints import result_weights
from resvision.training_graph import RunPhase

QUIET = Console(quiet=True)


def no_steps(**changes: Any) -> resvision.Run:
    changes = {name.replace("__", "."): value for name, value in changes.items()}
    return compose("resnet20", "digits", changes={**TINY, "training.duration": "0 steps", **changes})


@pytest.fixture(scope="module")
def scored(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run of no steps that starts with the weights of a finished one."""
    folder = tmp_path_factory.mktemp("scored") / "run"
    options = {f"model.options.{name}": value for name, value in finished.run.model.options.items()}
    return launch(no_steps(model__init_from=str(finished.folder), **options), out=folder, console=QUIET)


def test_its_weights_and_scores_are_those_of_the_run_that_it_starts_with(finished: Finished, scored: Finished) -> None:
    before, after = (load_file(result_weights(run.folder)) for run in (finished, scored))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert scored.scores.figures() == finished.scores.figures()


def test_it_is_an_ordinary_run_directory(scored: Finished) -> None:
    entries = {path.name for path in scored.folder.iterdir()}
    assert {rundir.RUN, rundir.EVALUATION, rundir.CHECKPOINTS, rundir.ENVIRONMENT} <= entries
    assert (scored.folder / rundir.HISTORY).read_text() == ""
    assert resvision.evaluate(scored.folder).figures() == pytest.approx(scored.scores.figures())
    assert (
        "with the weights that it starts with"
        in write_report([scored.folder], scored.folder / "report.html").read_text()
    )


def test_to_resume_it_scores_it_once_more_and_changes_no_weight(scored: Finished) -> None:
    before = result_weights(scored.folder).read_bytes()
    again = resume(scored.folder, console=QUIET)
    assert again.scores.figures() == scored.scores.figures()
    assert result_weights(scored.folder).read_bytes() == before


def test_without_weights_to_start_with_it_scores_those_of_its_seed(tmp_path: Path) -> None:
    first, second = (launch(no_steps(), out=tmp_path / name, console=QUIET) for name in ("first", "second"))
    assert first.scores.figures() == second.scores.figures()


def test_it_can_be_trained_on(scored: Finished, tmp_path: Path) -> None:
    folder = tmp_path / "longer"
    shutil.copytree(scored.folder, folder)
    resume(folder, console=QUIET, epochs=1, schedule="as-it-ended")
    lines = [json.loads(line) for line in (folder / rundir.HISTORY).read_text().splitlines()]
    assert lines[-1]["step"] == len([line for line in lines if "loss" in line]) > 0
    assert json.loads((folder / rundir.RUN).read_text())["training"]["extended"] == ["0 steps until step 0"]


@pytest.mark.parametrize("duration", ["0 epochs", "00 steps", "-1 steps"])
def test_other_lengths_of_nothing_are_refused(duration: str) -> None:
    with pytest.raises(SettingsError, match="duration"):
        no_steps(training__duration=duration)
    with pytest.raises(SettingsError, match="schedule_over"):
        no_steps(training__schedule_over="0 steps")


def test_a_recipes_run_of_no_steps_stays_one_whatever_the_epochs() -> None:
    phases = compose_phases("rcnn", "digits", changes={"training.duration": "3 epochs", "training.batch_size": 2})
    runs = {phase.name: phase.run.training for phase in phases if isinstance(phase, RunPhase)}
    assert (runs["net"].duration, runs["result"].duration) == ("3 epochs", "0 steps")
    assert runs["net"].batch_size == runs["result"].batch_size == 2


def test_settings_that_begin_with_the_name_of_a_phase_are_for_it_alone() -> None:
    settings = ["svm.options.features_gib=2", "net.training.batch_size=2", "training.seed=7"]
    net, svm, boxes, result = compose_phases("rcnn", "digits", settings=settings)
    assert svm.options == {"features_gib": 2}
    assert boxes.options == {}
    assert (net.run.training.batch_size, net.run.training.seed) == (2, 7)
    assert (result.run.training.batch_size, result.run.training.seed) == (4, 7)
    with pytest.raises(SettingsError, match="unknown key 'swm"):
        compose_phases("rcnn", "digits", settings=["swm.options.cost=2"])
