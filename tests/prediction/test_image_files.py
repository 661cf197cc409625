"""Files that a prediction is asked for: folders and below, links followed without an end."""

import os
from pathlib import Path

import pytest

from resvision.core.errors import DataError
from resvision.prediction.image_files import ImageFiles


def files(*paths: Path, below: Path) -> list[str]:
    return [str(path.relative_to(below)) for path in ImageFiles.of(paths)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("photos/a.png", "photos/b/c.png", "photos/b-d.png", "photos/.hidden/e.png", "photos/.f.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "photos"


def test_files_come_in_the_order_of_their_paths_without_hidden_ones(folder: Path) -> None:
    assert files(folder, below=folder) == ["a.png", "b/c.png", "b-d.png"]
    assert [*ImageFiles.of([folder])] == sorted(ImageFiles.of([folder]))
    assert files(folder / "a.png", folder / "b", below=folder) == ["a.png", "b/c.png"]


def test_linked_folders_are_followed_and_loops_are_not(folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep" / "g.png").touch()
    (folder / "linked").symlink_to(elsewhere)
    (folder / "again").symlink_to(folder / "b")
    (folder / "loop").symlink_to(folder)
    (folder / "up").symlink_to(folder.parent)
    (elsewhere / "back").symlink_to(folder)
    (folder / "self").symlink_to(folder / "self")
    found = files(folder, below=folder)
    assert found == ["a.png", "again/c.png", "b/c.png", "b-d.png", "linked/deep/g.png", "self"]
    assert files(folder.parent / "elsewhere", below=folder.parent) == [
        *(f"elsewhere/back/{name}" for name in ("a.png", "again/c.png", "b/c.png", "b-d.png", "self")),
        "elsewhere/deep/g.png",
    ]


def test_links_to_folders_of_links_do_not_multiply(tmp_path: Path) -> None:
    for level in range(12):
        (tmp_path / f"{level}").mkdir()
        (tmp_path / f"{level}" / "x.png").touch()
        for name in "ab":
            (tmp_path / f"{level}" / name).symlink_to(tmp_path / f"{level + 1}")
    assert len(ImageFiles.of([tmp_path / "0"])) < 50


def test_a_missing_an_empty_and_an_unreadable_folder_are_named(folder: Path, tmp_path: Path) -> None:
    for name, says in (("gone", "no such file or folder"), ("empty", "no files in this folder")):
        if name == "empty":
            (tmp_path / name).mkdir()
        with pytest.raises(DataError, match=says):
            ImageFiles.of([tmp_path / name])
    if os.geteuid():
        (folder / "b").chmod(0)
        with pytest.raises(DataError, match="cannot be listed"):
            ImageFiles.of([folder])
        (folder / "b").chmod(0o700)


def test_files_that_are_left_out_are_counted_and_the_first_named(tmp_path: Path) -> None:
    for name in ("a.png", "README.md", "below/._b.png", "below/b.png", "__MACOSX/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files = ImageFiles.of([tmp_path])
    assert [path.name for path in files] == ["a.png", "b.png"]
    [note] = files.notes
    assert note.startswith("3 files or folders are left out by name: ")
    assert str(tmp_path / "below" / "._b.png") in note
