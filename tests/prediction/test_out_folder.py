"""Pictures of a prediction in a folder: whole or not at all, by one process at a time, and gone on with."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resvision.core import rundir
from resvision.kinds.segmentation.kind import KIND
from resvision.launch import Finished

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def images(squares: Path) -> Path:
    return squares / "val" / "images"


@pytest.fixture
def whole(segmented: Finished, images: Path, tmp_path: Path, cli: Cli) -> dict[str, bytes]:
    """The files of a prediction that was not stopped."""
    assert cli("predict", segmented.folder, images, "--out", tmp_path / "whole")[0] == 0
    return held(tmp_path / "whole")


def held(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_full_disk_is_one_line_that_names_the_file_and_resuming_goes_on(
    segmented: Finished,
    images: Path,
    whole: dict[str, bytes],
    tmp_path: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flush = os.fsync
    written: list[int] = []

    def full(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(descriptor)

    maps = tmp_path / "maps"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        code, out, err = cli("predict", segmented.folder, images, "--out", maps, "--json")
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith(f"resvision: {maps}/")
    assert "No space left on device; make room" in line
    assert line.split(": ")[1].endswith(".png")
    left = held(maps)
    assert 0 < len(left) < len(whole)
    assert left.items() <= whole.items()
    code, more, err = cli("predict", segmented.folder, images, "--out", maps, "--resume", "--json")
    assert code == 0
    assert held(maps) == whole
    there = sum({f"{path.stem}.png", f"{path.stem}-overlay.png"} <= left.keys() for path in images.iterdir())
    assert err == f"resvision: going on: {there} of 6 images have their files\n"
    sources = [json.loads(line)["source"] for line in (out + more).splitlines()]
    assert {*sources} == {str(path) for path in images.iterdir()}  # an image may stand in both, none in neither


def test_an_image_with_an_empty_or_a_missing_file_is_predicted_again(
    segmented: Finished, images: Path, whole: dict[str, bytes], tmp_path: Path, cli: Cli
) -> None:
    maps = shutil.copytree(tmp_path / "whole", tmp_path / "maps")
    (maps / "0.png").write_bytes(b"")
    (maps / "1-overlay.png").unlink()
    code, out, err = cli("predict", segmented.folder, images, "--out", maps, "--resume")
    assert (code, len(out.splitlines())) == (0, 2)
    assert "4 of 6 images have their files" in err
    assert held(maps) == whole


def test_two_processes_do_not_write_into_one_folder(
    segmented: Finished, images: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(path: Path) -> Any:
        raise BlockingIOError

    monkeypatch.setattr(rundir, "_lock", taken)
    code, _, err = cli("predict", segmented.folder, images, "--out", tmp_path / "maps")
    assert code == 2
    assert f"{tmp_path / 'maps'}: is being written to by another process" in err
    assert not (tmp_path / "maps").exists()


def test_resuming_needs_a_folder(segmented: Finished, images: Path, cli: Cli) -> None:
    code, _, err = cli("predict", segmented.folder, images, "--resume")
    assert code == 2
    assert "--resume: goes on with a folder of results; name it with --out" in err


def test_labels_need_a_folder_and_a_task_that_has_some(
    segmented: Finished, images: Path, tmp_path: Path, cli: Cli
) -> None:
    code, _, err = cli("predict", segmented.folder, images, "--labels", "voc")
    assert (code, "--labels: writes into a folder; name it with --out" in err) == (2, True)
    code, _, err = cli("predict", segmented.folder, images, "--labels", "voc", "--out", tmp_path / "out")
    assert (code, "--labels voc: runs of segmentation write no labels; leave it out" in err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_labels_are_written_in_place_of_pictures_and_finished_at_the_end(
    segmented: Finished, images: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sizes:
        def __init__(self, name: str, classes: tuple[str, ...]) -> None:
            self.heading = f"{name} {len(classes)}\n"

        def files(self, source: Path, out: Path) -> tuple[Path, ...]:
            return (out / f"{source.stem}.size",)

        def contents(self, result: Any, image: Any) -> Iterator[bytes]:
            yield f"{image.shape}".encode()

        def require_open(self, out: Path) -> None:
            """Nothing is in the way."""

        def common_files(self, out: Path) -> tuple[Path, ...]:
            return (out / "all",)

        def finish(self, sources: Iterable[Path], out: Path) -> None:
            (out / "all").write_text(self.heading + " ".join(source.stem for source in sources))

    monkeypatch.setattr(type(KIND), "label_form", lambda self, name, classes: Sizes(name, classes))
    assert cli("predict", segmented.folder, images, "--labels", "sizes", "--out", tmp_path / "out")[0] == 0
    stems = sorted(image.stem for image in images.iterdir())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(["all", *(f"{s}.size" for s in stems)])
    assert (tmp_path / "out/all").read_text().split()[2:] == stems
