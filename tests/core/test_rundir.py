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


@pytest.mark.parametrize("name", [rundir.CHECKPOINTS, rundir.EVENTS, rundir.SCRATCH])
def test_a_run_directory_whose_folders_lead_elsewhere_is_not_written_to(tmp_path: Path, name: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "other")
    with (
        pytest.raises(RunError, match=f"{name}: a link, which is not followed; put a folder in its place"),
        rundir.locked(tmp_path / "run"),
    ):
        pass


@pytest.mark.parametrize("kind", ["link", "second name", "pipe"])
def test_a_lock_that_is_another_file_is_not_written_to(tmp_path: Path, kind: str) -> None:
    precious, lock = tmp_path / "precious", tmp_path / "run" / rundir.LOCK
    precious.write_text("mine")
    lock.parent.mkdir()
    if kind == "link":
        lock.symlink_to(precious)
    elif kind == "second name":
        lock.hardlink_to(precious)
    else:
        os.mkfifo(lock)
    with pytest.raises(RunError, match=r"\.lock: .*; remove it$"), rundir.locked(tmp_path / "run"):
        pass
    assert precious.read_text() == "mine"


def test_the_drafts_of_a_killed_process_go_when_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".history.jsonl.0123456789abcdef.new").write_bytes(bytes(100))
    with rundir.locked(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [rundir.LOCK]


@pytest.mark.parametrize("kind", ["pipe", "device", "deep", "long"])
def test_json_that_would_take_all_memory_or_wait_for_ever_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "run.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "deep":
        path.write_text("[" * 100_000)
    else:
        path.write_text("[" + " " * 1000 + "]")
    with pytest.raises(
        RunError, match=r"run\.json: (cannot be read: (not a reg|more than 1,000)|not valid JSON: nested)"
    ):
        rundir.read_json(path, limit=1_000 if kind == "long" else 2**20)


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
