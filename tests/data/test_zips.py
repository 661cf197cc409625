"""Zip files as folders of images: the same images as unpacked, and a clear error for each that is damaged or a trap."""

import os
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resvision.core.errors import DataError
from resvision.data import zips
from resvision.data.archives import Archive
from resvision.data.check import check
from resvision.data.sets import open_splits


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draws = np.random.default_rng(0)
    for name in ("cat/a.png", "cat/b.png", "dog/0.png", "dog/1.png", "README.md"):
        place = tmp_path / "pets" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("png"):
            Image.fromarray(draws.integers(0, 256, (12, 10, 3), dtype=np.uint8)).save(place)
        else:
            place.touch()
    return tmp_path / "pets"


def packed(folder: Path, method: int = zipfile.ZIP_DEFLATED, *, within: str = "pets/") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{within}{file.relative_to(folder)}")
    return path


@pytest.mark.parametrize("within", ["pets/", "", "./pets/"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_holds_what_its_folder_holds(method: int, within: str, folder: Path) -> None:
    path = packed(folder, method, within=within)
    there, here = open_splits(str(folder)), open_splits(str(path))
    assert here.fingerprint() == there.fingerprint()
    for reader, other in zip(there.readers, here.readers, strict=True):
        assert all(np.array_equal(reader[i].image, other[i].image) for i in range(len(reader)))
    assert here.notes == (f"1 file or folder is left out by name: {path}{'/pets' if within else ''}/README.md",)
    assert not check(str(path)).faults
    assert not (folder.parent / "cache" / "resvision" / "tars").exists()


def test_a_zip_of_windows_has_slashes_of_its_own(folder: Path) -> None:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)).replace("/", "\\"))
            entry.create_system = 0
            archive.writestr(entry, file.read_bytes())
    assert open_splits(str(path)).train.classes == ("cat", "dog")


def test_what_no_honest_zip_holds_is_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "odd.zip"

    def written(name: str, *, content: bytes = b"x", method: int = zipfile.ZIP_DEFLATED, mode: int = 0) -> Path:
        entry = zipfile.ZipInfo(name)
        entry.external_attr, entry.compress_type = mode << 16, method
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(entry, content)
        return path

    for name in ("../a.png", "/a.png", "cat/../../a.png"):
        with pytest.raises(DataError, match="which leads out of it"):
            Archive(written(name))
    with pytest.raises(DataError, match=r"cat/a.png: compressed by another way than deflate; unpack it"):
        Archive(written("cat/a.png", method=zipfile.ZIP_BZIP2))
    with pytest.raises(DataError, match="a link or a device"):
        Archive(written("cat/a.png", mode=0o120777)).read("cat/a.png")
    bomb = written("cat/a.png", content=bytes(zips.LEAST_GROWN + 1))
    with pytest.raises(DataError, match="grows to more than 100 times its size"):
        Archive(bomb).read("cat/a.png")


def test_an_encrypted_zip_says_so_and_litter_in_it_may_be_encrypted(folder: Path) -> None:
    path = packed(folder)
    whole = path.read_bytes()

    def encrypted(name: bytes) -> None:
        at = whole.rindex(name) - 46  # in the directory, whose flags are at byte 8
        path.write_bytes(whole[: at + 8] + struct.pack("<H", 1) + whole[at + 10 :])

    encrypted(b"pets/README.md")
    assert len(open_splits(str(path)).train) == 2
    encrypted(b"pets/cat/a.png")
    with pytest.raises(DataError, match=r"cat/a.png: encrypted; unpack it with its password, and name the folder"):
        open_splits(str(path))


def test_a_damaged_zip_is_one_clear_error(folder: Path) -> None:
    path = packed(folder, zipfile.ZIP_STORED)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(DataError, match=r"pets.zip: not a whole zip file"):
        open_splits(str(path))
    start = whole.index(b"\x89PNG")
    path.write_bytes(whole[: start + 40] + b"?" + whole[start + 41 :])
    assert [fault.what for fault in check(str(path)).faults] == ["damaged in its zip file"]


def directory_with(whole: bytes, name: bytes, field: int, value: bytes) -> bytes:
    """A zip whose directory says another value of a member; `field` is its place behind the member's head."""
    at = whole.rindex(name) - 46 + field
    return whole[:at] + value + whole[at + len(value) :]


def test_a_directory_that_lies_about_places_and_sizes_is_one_clear_error(folder: Path) -> None:
    path = packed(folder, zipfile.ZIP_STORED)
    whole = path.read_bytes()
    end = whole.rindex(b"PK\5\6")
    lies = [
        whole[: end + 16] + b"\xff" * 3 + b"\x7f" + whole[end + 20 :],  # makes the offsets of members negative
        directory_with(whole, b"pets/cat/a.png", 42, struct.pack("<I", 2**31 - 1)),
    ]
    for lie in lies:
        path.write_bytes(lie)
        with pytest.raises(DataError, match=r"pets.zip: not a whole zip file"):
            open_splits(str(path))
    path.write_bytes(directory_with(whole, b"pets/cat/a.png", 20, struct.pack("<I", 2**32 - 2)))
    with pytest.raises(DataError, match=r"cat/a.png: damaged in its zip file"):
        open_splits(str(path)).train[0]


def test_sizes_of_more_than_63_bits_are_one_clear_error(tmp_path: Path) -> None:
    path, entry = tmp_path / "it.zip", zipfile.ZipInfo("cat/a.png")
    entry.extra = struct.pack("<HHQQ", 1, 16, 2**63, 2**63)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, b"x")
    path.write_bytes(directory_with(path.read_bytes(), b"cat/a.png", 20, b"\xff" * 8))
    with pytest.raises(DataError, match=r"not a whole zip file \(cat/a.png lies outside of it\)"):
        Archive(path)


@pytest.mark.parametrize("ending", ["zip", "tar"])
def test_an_archive_that_goes_away_is_one_clear_error(ending: str, folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.make_archive(str(tmp_path / "it"), ending, folder))
    splits = open_splits(str(path))
    path.unlink()
    with pytest.raises(DataError, match=r"cat/.*png: cannot be read \(No such file"):
        splits.train[0]
    os.mkfifo(path)
    with pytest.raises(DataError, match=r"cannot be read \(not a regular file\)"):
        splits.train[0]
