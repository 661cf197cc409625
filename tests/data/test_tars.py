"""Tar files as folders of images: the same images as unpacked, and one clear error for each that is damaged."""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resvision.core.errors import DataError
from resvision.data import tars
from resvision.data.archives import Archive, open_archive
from resvision.data.check import check
from resvision.data.folder_reader import FolderReader
from resvision.data.sets import open_splits
from resvision.data.splits import Splits
from resvision.loading.augment import ImageAugment
from resvision.loading.batches import TrainBatches
from resvision.loading.workers import batches

NAMES = (
    "train/cat/a.png",
    "train/cat/b.png",
    "train/dog/0.png",
    "train/dog-like/0.png",
    "val/cat/a.png",
    "val/dog/0.png",
)


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draws = np.random.default_rng(0)
    for name in NAMES:
        place = tmp_path / "pets" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draws.integers(0, 256, (12, 10, 3), dtype=np.uint8)).save(place)
    return tmp_path / "pets"


def packed(folder: Path, mode: str, *, within: str = "pets") -> Path:
    path = folder.with_name("pets.tar")
    with tarfile.open(path, mode) as tar:
        tar.add(folder, within)
    return path


def contents(splits: Splits) -> list[tuple[str, int, bytes]]:
    return [
        (Path(reader.source(index)).name, sample.target, sample.image.tobytes())
        for reader in splits[:2]
        for index in range(len(reader))
        for sample in [reader[index]]
    ]


@pytest.mark.parametrize("within", ["pets", "", "./pets"])
@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_holds_what_its_folder_holds(mode: str, within: str, folder: Path) -> None:
    path = packed(folder, mode, within=within)
    there, here = open_splits(str(folder)), open_splits(str(path))
    assert contents(here) == contents(there)
    assert (here.split_rule, here.train.classes) == (there.split_rule, there.train.classes)
    assert here.fingerprint() == there.fingerprint()
    assert here.train.source(0).startswith(f"{path}/")


def test_a_tar_of_classes_alone_is_split_like_their_folder(folder: Path) -> None:
    Image.new("RGB", (12, 10)).save(folder / "train" / "dog" / "1.png")
    Image.new("RGB", (12, 10)).save(folder / "train" / "dog-like" / "1.png")
    path = packed(folder / "train", "w", within="train-classes")
    assert contents(open_splits(str(path))) == contents(open_splits(str(folder / "train")))


def test_workers_read_the_same_tar(folder: Path) -> None:
    reader = open_splits(str(packed(folder, "w:gz"))).train
    made = TrainBatches(reader, batch_size=2, seed=0, augment=ImageAugment(crop="random-resized"))
    here, there = ([batch.inputs.images for batch in batches(made, 0, 4, workers=n)] for n in (0, 2))
    assert all(bool((a == b).all()) for a, b in zip(here, there, strict=True))


def test_a_compressed_tar_is_decompressed_once(folder: Path, tmp_path: Path) -> None:
    path = packed(folder, "w:gz")
    for _ in range(2):
        open_splits(str(path))
        assert len([*(tmp_path / "cache" / "resvision" / "tars").iterdir()]) == 1


def test_a_file_with_a_fault_is_named_with_its_tar(folder: Path) -> None:
    (folder / "train" / "dog" / "0.png").write_bytes(b"text")
    path = packed(folder, "w")
    with pytest.raises(DataError, match=rf"{path}/pets/train/dog/0.png: not an image"):
        open_splits(str(path))
    found = check(str(path))
    assert (found.images, found.fine) == (6, 5)
    assert [str(fault) for fault in found.faults] == [
        f"{path}/pets/train/dog/0.png: not an image; allowed are JPEG, PNG, WEBP, BMP, TIFF, PPM"
    ]


def test_links_in_a_tar_are_faults(folder: Path) -> None:
    (folder / "train" / "dog" / "1.png").symlink_to("0.png")
    with pytest.raises(DataError, match=r"dog/1.png: a link or a device; pack the files themselves"):
        open_splits(str(packed(folder, "w")))


def test_of_members_of_one_name_the_last_counts(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "twice.tar", "w") as tar:
        for content in (b"old", b"newer"):
            member = tarfile.TarInfo("a.txt")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert Archive(tmp_path / "twice.tar").read("a.txt") == b"newer"


@pytest.mark.parametrize("name", ["/etc/a.png", "../a.png", "a/../../b.png"])
def test_names_that_lead_out_are_refused(name: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "out.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(DataError, match=r"out.tar: holds .*, which leads out of it"):
        open_archive(tmp_path / "out.tar")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_tar_that_is_cut_off_is_a_data_error(mode: str, share: float, folder: Path) -> None:
    path = packed(folder, mode)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole.rstrip(b"\0")) * share)])
    with pytest.raises(DataError, match=r"pets.tar: (a tar file that is cut off|a damaged or cut off archive|neither)"):
        open_splits(str(path))


@pytest.mark.parametrize("content", [b"", b"some text" * 99])
def test_a_file_that_is_no_tar_is_a_data_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "notes.bin").write_bytes(content)
    with pytest.raises(DataError, match=r"notes.bin: neither a folder of images nor a whole tar file"):
        open_splits(str(tmp_path / "notes.bin"))


def test_cifar10_jpeg_is_found_by_its_root_with_the_normalization_of_cifar10(folder: Path, tmp_path: Path) -> None:
    (folder / "val").rename(folder / "test")
    packed(folder, "w:gz", within="cifar10").rename(tmp_path / "cifar10_jpeg.tar.gz")
    splits = open_splits("cifar10-jpeg", root=tmp_path)
    assert isinstance(splits.train, FolderReader)
    assert splits.train.view.mean == (0.4914, 0.4822, 0.4465)
    with pytest.raises(DataError, match=r"cifar10-jpeg: none of .* in .*--root"):
        open_splits("cifar10-jpeg", root=tmp_path / "nowhere")


def test_an_archive_that_grows_a_hundredfold_is_refused_and_nothing_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tars, "GIGABYTE", 2**20)
    (tmp_path / "bomb.tar.gz").write_bytes(gzip.compress(bytes(2**25)))
    with pytest.raises(DataError, match="decompresses to more than 3 MB, 100 times its size; unpack it yourself"):
        Archive(tmp_path / "bomb.tar.gz")
    assert [*(tmp_path / "cache" / "resvision" / "tars").iterdir()] == []


def test_an_archive_that_would_fill_the_disk_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "LEFT_FREE", 2**60)
    with pytest.raises(DataError, match="less than 1 GB would stay"):
        Archive(packed(folder, "w:gz"))


def test_a_header_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    member = tarfile.TarInfo("a")
    member.type, member.size = tarfile.XHDTYPE, 2**32
    with (tmp_path / "long.tar").open("wb") as file:
        file.write(member.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(2**33)  # zeros that take no room on the disk
    with pytest.raises(DataError, match="a header of more than 1 MB"):
        Archive(tmp_path / "long.tar")


def test_more_members_than_memory_has_room_for_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tars, "MOST_MEMBERS", 5)
    with pytest.raises(DataError, match="more than 5 files, which is the limit here"):
        Archive(packed(folder, "w"))


def test_a_member_above_its_limit_is_not_read(folder: Path) -> None:
    archive = Archive(packed(folder, "w"))
    with pytest.raises(DataError, match=r"a\.png: more than 10 bytes"):
        archive.read("pets/train/cat/a.png", limit=10)
