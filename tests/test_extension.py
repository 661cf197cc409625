"""Runs that go on longer than they were begun for."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console
from support import TINY

from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.history import read
from resvision.extension import extended
from resvision.launch import Finished, resume, train
from resvision.run import read_run

Cli = Callable[..., tuple[int, str, str]]
QUIET = Console(quiet=True)
STEPS = {**TINY, "training.duration": "4 steps", "data.image_size": 8}


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return train("resnet20", "digits", settings=STEPS, out=tmp_path_factory.mktemp("short") / "run", quiet=True)


def steps_of(folder: Path) -> list[dict]:
    lines = [line for line in read(folder / rundir.HISTORY) if "evaluation" not in line]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def weights_of(folder: Path) -> bytes:
    last = (folder / rundir.CHECKPOINTS / rundir.LAST).read_text().strip()
    return (folder / rundir.CHECKPOINTS / last / rundir.WEIGHTS).read_bytes()


def longer(run: Path, duration: str, schedule: str | None) -> None:
    """Write another length into a run, in steps, which no flag gives."""
    asked = extended(read_run(run), run, {"epochs": 1}, schedule=schedule, console=QUIET)  # type: ignore[arg-type]
    data = json.loads((run / rundir.RUN).read_text())
    data["training"] |= {"duration": duration, "schedule_over": asked.training.schedule_over}
    (run / rundir.RUN).write_text(json.dumps(data))


def test_a_finished_run_goes_on_and_its_history_grows(short: Finished, tmp_path: Path, cli: Cli) -> None:
    run = shutil.copytree(short.folder, tmp_path / "run")
    code, out, err = cli("train", "--resume", run, "--epochs", "1")
    assert code == 0, err
    assert "training.duration: 4 steps -> 1 epochs, after step 4" in err
    assert "laid anew over all 1 epoch" in err
    assert out.startswith(f"{run}: top-1 error")
    assert steps_of(run)[:4] == steps_of(short.folder)
    assert [line["step"] for line in steps_of(run)] == list(range(1, 22))
    training = read_run(run).training
    assert (training.extended, training.schedule_over) == (("4 steps until step 4",), None)


@pytest.mark.parametrize("schedule", ["anew", "as-it-ended"])
def test_an_extended_run_that_is_stopped_goes_on_bit_for_bit(short: Finished, tmp_path: Path, schedule: str) -> None:
    straight, stopped = (shutil.copytree(short.folder, tmp_path / name) for name in ("straight", "stopped"))
    longer(straight, "8 steps", schedule)
    resume(straight, console=QUIET)
    longer(stopped, "8 steps", schedule)
    data = json.loads((stopped / rundir.RUN).read_text())
    data["training"]["checkpoint_seconds"] = 1e-6
    (stopped / rundir.RUN).write_text(json.dumps(data))
    resume(stopped, console=QUIET)
    root = stopped / rundir.CHECKPOINTS
    shutil.rmtree(root / "step-8")
    (root / rundir.LAST).write_text("step-7\n")
    resume(stopped, console=QUIET)
    assert weights_of(stopped) == weights_of(straight)
    assert steps_of(stopped) == steps_of(straight)
    rates = [line["lr"] for line in steps_of(straight)]
    assert (rates[4:] == [rates[3]] * 4) == (schedule == "as-it-ended")


def test_a_length_that_the_run_has_passed_is_refused(finished: Finished) -> None:
    with pytest.raises(SettingsError, match=r"1 epoch have|1 epoch has"):
        resume(finished.folder, epochs=1, console=QUIET)
    assert (finished.folder / rundir.EVALUATION).is_file()


def test_a_run_without_its_optimizer_state_cannot_be_extended(short: Finished, tmp_path: Path) -> None:
    run = shutil.copytree(short.folder, tmp_path / "run")
    (run / rundir.CHECKPOINTS / "step-4" / rundir.OPTIMIZER).unlink()
    with pytest.raises(RunError, match="optimizer state was removed"):
        resume(run, epochs=2, console=QUIET)
    assert read_run(run) == read_run(short.folder)


def test_flags_that_a_run_was_begun_with_are_refused(short: Finished) -> None:
    with pytest.raises(SettingsError, match=r"--batch-size: .* it takes --epochs, --patience, --threads"):
        resume(short.folder, batch_size=8, console=QUIET)


def test_threads_are_changed_and_recorded(short: Finished, tmp_path: Path) -> None:
    run = extended(short.run, short.folder, {"threads": 2}, schedule=None, console=QUIET)
    assert run.machine.threads == 2
    assert run.training == short.run.training
