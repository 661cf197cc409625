import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from resvision.core import rundir
from resvision.core.errors import RunError


def test_run_directories_are_numbered_from_one(tmp_path: Path) -> None:
    names = [rundir.create("resnet20-digits", root=tmp_path).name for _ in range(3)]
    assert [name.rsplit("-", 1)[1] for name in names] == ["1", "2", "3"]


def test_a_folder_of_another_run_is_not_claimed(tmp_path: Path) -> None:
    rundir.write_json(tmp_path / rundir.RUN, {})
    with pytest.raises(RunError, match=r"--resume"):
        rundir.claim(tmp_path)


def test_a_folder_with_something_in_it_is_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(RunError, match="not empty"):
        rundir.claim(tmp_path)


def test_a_missing_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run directory"):
        rundir.require(tmp_path / "gone")
    with pytest.raises(RunError, match=r"no run\.json"):
        rundir.require(tmp_path)


def test_a_failed_write_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    rundir.write_json(path, {"old": 1})

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RunError, match="No space left"):
        rundir.write_json(path, {"new": 2})
    assert rundir.read_json(path) == {"old": 1}


def test_json_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json: not valid JSON"):
        rundir.read_json(tmp_path / "run.json")


def test_a_failed_write_leaves_nothing_that_takes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RunError, match="make room and try again"):
        rundir.write_json(tmp_path / "run.json", {"new": 2})
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_start_left_does_not_count(tmp_path: Path) -> None:
    (tmp_path / ".run.json.new").write_text("{")
    (tmp_path / rundir.LOCK).touch()
    assert rundir.claim(tmp_path) == tmp_path


def test_a_path_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    endless = tmp_path / ("x" * 300)
    for use in (rundir.claim, rundir.require):
        with pytest.raises(RunError, match="File name too long"):
            use(endless)


TRY = (
    "import sys; from pathlib import Path; from resvision.core import rundir\n"
    "rundir.locked(Path(sys.argv[1])).__enter__()"
)


def locked_out(folder: Path) -> str:
    """What another process hears that wants to train in the folder; nothing where it may."""
    return subprocess.run([sys.executable, "-c", TRY, str(folder)], capture_output=True, text=True).stderr


def test_a_lock_keeps_others_out_and_goes_away(tmp_path: Path) -> None:
    with rundir.locked(tmp_path) as is_locked:
        assert is_locked
        assert f"is being trained by process {os.getpid()}; wait" in locked_out(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert locked_out(tmp_path) == ""


def test_a_lock_on_a_file_that_was_just_removed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, calls = fcntl.lockf, []

    def removed_by_its_last_holder(descriptor: int, operation: int) -> None:
        lock(descriptor, operation)
        if not calls:
            (tmp_path / rundir.LOCK).unlink()
        calls.append(descriptor)

    monkeypatch.setattr(fcntl, "lockf", removed_by_its_last_holder)
    with rundir.locked(tmp_path):
        assert len(calls) == 2
        assert "is being trained" in locked_out(tmp_path)
