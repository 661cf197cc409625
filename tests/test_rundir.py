import os
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
