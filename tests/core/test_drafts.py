"""Drafts: whole or not at all, never through a link, and gone after a kill."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from resvision.core.drafts import draft_file, draft_folder, is_draft, real_folder, remove, sweep
from resvision.core.files import RefusedFileError

WRITER = """
import sys, time
from pathlib import Path
from resvision.core.drafts import draft_file, draft_folder
with draft_file(Path(sys.argv[1]) / "mask.png") as file, draft_folder(Path(sys.argv[1]) / "weights") as folder:
    (folder / "part").write_bytes(bytes(100))
    print("begun", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with draft_file(path) as file:
        file.write(b"half")
        assert [is_draft(name) for name in names(tmp_path)] == [True]
    assert path.read_bytes() == b"half"
    with suppress(KeyError), draft_file(path) as file:
        file.write(b"other")
        raise KeyError
    assert (names(tmp_path), path.read_bytes()) == (["a.json"], b"half")


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "a.json").symlink_to(tmp_path / "precious")
    with draft_file(tmp_path / "a.json") as file:
        file.write(b"new")
    assert (tmp_path / "precious").read_text() == "mine"
    assert not (tmp_path / "a.json").is_symlink()


def test_the_longest_name_that_a_file_may_have_can_be_written(tmp_path: Path) -> None:
    for name in ("x" * 255, "ü" * 127):
        with draft_file(tmp_path / name) as file:
            file.write(b"1")
    assert len(names(tmp_path)) == 2


def test_drafts_of_the_dead_are_removed_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        begun = names(tmp_path)
        sweep(tmp_path, ours=True)
        assert (len(begun), names(tmp_path)) == (2, begun)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    sweep(tmp_path, ours=False)
    assert names(tmp_path) == []


def test_sweeping_leaves_what_others_called_so(tmp_path: Path) -> None:
    (tmp_path / ".notes.new").write_text("mine")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "photo").touch()
    (tmp_path / ".a.0123456789abcdef.new").symlink_to(tmp_path / "kept")
    sweep(tmp_path, ours=False)
    assert (tmp_path / "kept" / "photo").exists()
    assert (tmp_path / ".notes.new").exists()
    sweep(tmp_path, ours=True)  # in a run directory it is the remains of an older version
    assert not (tmp_path / ".notes.new").exists()
    sweep(tmp_path / "nowhere", ours=True)


def test_a_folder_of_ours_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "events").symlink_to(tmp_path / "there")
    with pytest.raises(RefusedFileError, match="a link, which is not followed; put a folder in its place"):
        real_folder(tmp_path / "events")
    (tmp_path / "file").touch()
    with pytest.raises(RefusedFileError, match="not a folder"):
        real_folder(tmp_path / "file")
    assert real_folder(tmp_path / "new").is_dir()


def test_removing_a_link_leaves_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a").touch()
    (tmp_path / "step-1").symlink_to(tmp_path / "there")
    remove(tmp_path / "step-1")
    assert (tmp_path / "there" / "a").exists()
    remove(tmp_path / "there")
    assert names(tmp_path) == []


def test_a_draft_folder_is_renamed_or_removed(tmp_path: Path) -> None:
    with draft_folder(tmp_path / "step-1") as draft:
        (draft / "weights").touch()
        draft.rename(tmp_path / "step-1")
    assert names(tmp_path) == ["step-1"]
    with suppress(KeyError), draft_folder(tmp_path / "step-2") as draft:
        (draft / "weights").touch()
        raise KeyError
    assert names(tmp_path) == ["step-1"]
    assert os.listdir(tmp_path / "step-1") == ["weights"]  # noqa: PTH208
