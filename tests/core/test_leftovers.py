from pathlib import Path

import pytest

from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.core.leftovers import clean, leftovers, size_of


def checkpoint(run: Path, step: int) -> Path:
    folder = run / rundir.CHECKPOINTS / f"step-{step}"
    folder.mkdir(parents=True)
    for name in (rundir.WEIGHTS, rundir.OPTIMIZER, rundir.STATE):
        (folder / name).write_bytes(b"0" * 100)
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for step in (10, 20, 30):
        checkpoint(tmp_path / "run", step)
    (tmp_path / "run" / rundir.CHECKPOINTS / rundir.LAST).write_text("step-30\n")
    return tmp_path / "run"


def below(run: Path) -> set[str]:
    return {str(path.relative_to(run / rundir.CHECKPOINTS)) for path in run.rglob("*") if path.is_file()}


LAST = {"last", "step-30/weights.safetensors", "step-30/state.json"}


def test_earlier_checkpoints_go_and_the_last_one_stays_whole(run: Path) -> None:
    assert [(left.path.name, left.size) for left in leftovers(run)] == [("step-10", 300), ("step-20", 300)]
    before = size_of(run)
    removed = clean(run)
    assert before - size_of(run) == sum(left.size for left in removed) == 600
    assert below(run) == LAST | {"step-30/optimizer.safetensors"}
    assert clean(run) == []


def test_the_best_weights_stay_without_a_state_that_nothing_goes_on_from(run: Path) -> None:
    (run / rundir.CHECKPOINTS / rundir.BEST).write_text("step-10\n")
    clean(run)
    best = {"best", "step-10/weights.safetensors", "step-10/state.json"}
    assert below(run) == LAST | best | {"step-30/optimizer.safetensors"}


def test_the_last_state_goes_where_that_is_asked_for_and_is_missed_by_name(run: Path) -> None:
    clean(run, state=True)
    assert below(run) == LAST
    with pytest.raises(RunError, match=r"runs clean --state.*no longer be extended"):
        rundir.require_state(run / rundir.CHECKPOINTS / "step-30")


def test_nothing_behind_a_link_is_removed(run: Path, tmp_path: Path) -> None:
    elsewhere = checkpoint(tmp_path / "elsewhere", 5)
    (run / rundir.CHECKPOINTS / "step-5").symlink_to(elsewhere)
    clean(run, state=True)
    assert not (run / rundir.CHECKPOINTS / "step-5").is_symlink()
    assert (elsewhere / rundir.OPTIMIZER).is_file()
    (run / rundir.CHECKPOINTS).rename(tmp_path / "moved")
    (run / rundir.CHECKPOINTS).symlink_to(tmp_path / "moved")
    with pytest.raises(RunError, match="link"):
        clean(run)


@pytest.mark.parametrize("pointer", ["step-9\n", "../run\n", "\0"])
def test_a_run_without_a_last_checkpoint_is_left_alone(run: Path, pointer: str) -> None:
    (run / rundir.CHECKPOINTS / rundir.LAST).write_text(pointer)
    with pytest.raises(RunError, match="last"):
        leftovers(run)
    assert len(below(run)) == 10


def test_files_that_are_no_checkpoints_of_ours_stay(run: Path) -> None:
    (run / rundir.CHECKPOINTS / "step-notes").mkdir()
    (run / rundir.CHECKPOINTS / "step-9").write_text("mine")
    (run / rundir.CHECKPOINTS / "step-1.txt").write_text("mine")
    clean(run)
    assert below(run) >= {"step-9", "step-1.txt"}
    assert (run / rundir.CHECKPOINTS / "step-notes").is_dir()


def test_a_run_that_is_extended_meanwhile_is_left_alone(run: Path) -> None:
    with pytest.raises(RunError, match="no longer finished"):
        clean(run, state=True, finished=lambda: False)
    assert len(below(run)) == 10
