"""The table of data sets and the sets that are arrays: digits, idx files, CIFAR's pickles."""

import gzip
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from resvision.core import references
from resvision.core.errors import DataError, SettingsError, UnknownNameError
from resvision.core.samples import Reader
from resvision.data import cifar10, cifar100, digits, fashion_mnist, idx, sets
from resvision.data.arrays import ArrayReader
from resvision.data.cifar import read_batch
from resvision.data.idx import read_idx
from resvision.data.roots import default_root
from resvision.data.sets import open_splits
from resvision.data.splits import Splits

DEBIAN = fashion_mnist.FASHION_MNIST.debian


@pytest.fixture(autouse=True)
def _no_data_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESVISION_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def shown(reader: Reader) -> np.ndarray:
    return np.stack([reader.view.show(reader[i].image, name="x").pixels for i in range(len(reader))])


def statistics(reader: Reader) -> tuple[tuple[float, ...], tuple[float, ...]]:
    pixels = shown(reader) / 255
    return (
        tuple(np.round(pixels.mean(axis=(0, 1, 2)), 4)),
        tuple(np.round(pixels.std(axis=(0, 1, 2)), 4)),
    )


def tiny_splits(root: Path | None) -> Splits:
    """A data set of a user's own."""
    readers = [
        ArrayReader(
            name="own",
            split=split,
            classes=("a", "b"),
            view=digits.VIEW,
            images=np.zeros((4, 8, 8), dtype=np.uint8),
            targets=np.array([0, 1, 0, 1]),
        )
        for split in ("train", "test")
    ]
    return Splits(*readers, f"root {root}")


def nothing(root: Path | None) -> None:
    """Not a data set."""


def test_the_table_loads_no_torch() -> None:
    script = (
        "import sys; from resvision.data import sets; from pathlib import Path;"
        "[row.where(Path('.')) for row in sets.SETS]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_row_names_functions_that_exist() -> None:
    for row in sets.SETS:
        for place in filter(None, (row.opener, row.finder, row.fetcher)):
            assert callable(references.load(place, noun="data set"))
        assert row.fetchable == bool(row.fetcher)


def test_digits_are_all_there_once_in_the_stated_split() -> None:
    splits = open_splits("digits")
    assert (len(splits.train), len(splits.test)) == (1400, 397)
    assert splits.split_rule == "1,400 train / 397 test images after a shuffle with seed 0"
    assert isinstance(splits.train, Reader)
    assert splits.train.classes == tuple("0123456789")
    from sklearn.datasets import load_digits

    given = load_digits()
    both = [*zip(splits.train.images, splits.train.targets, strict=True)]
    both += zip(splits.test.images, splits.test.targets, strict=True)
    ours = sorted((int(target), image.tobytes()) for image, target in both)
    theirs = np.rint(given.images * 255 / 16).astype(np.uint8)
    assert ours == sorted((int(target), image.tobytes()) for image, target in zip(theirs, given.target, strict=True))


def test_the_split_of_digits_is_the_same_on_every_machine() -> None:
    splits = open_splits("digits")
    assert splits.test.targets[:12].tolist() == [4, 2, 3, 3, 4, 6, 6, 5, 9, 9, 2, 6]
    assert splits.test.source(3) == "digits/test[3]"


def test_the_normalization_of_digits_is_that_of_its_training_images() -> None:
    train = open_splits("digits").train
    assert shown(train).shape == (1400, 32, 32, 1)
    assert statistics(train) == (train.view.mean, train.view.std)


def test_channels_and_image_size_are_what_was_asked_for() -> None:
    splits = open_splits("digits", channels=3, image_size=28)
    assert shown(splits.test).shape == (397, 28, 28, 3)
    assert open_splits("digits").train.view == digits.VIEW
    with pytest.raises(SettingsError, match="image_size"):
        open_splits("digits", image_size=0)
    with pytest.raises(SettingsError, match="digits: channels must be 1"):
        open_splits("digits", channels=2)


def test_an_unknown_name_gets_the_nearest_and_that_no_such_folder_exists() -> None:
    nearest = "'fashon-mnist'; nearest: fashion-mnist, mnist; and no such folder exists"
    with pytest.raises(UnknownNameError, match=nearest):
        open_splits("fashon-mnist")
    with pytest.raises(UnknownNameError, match="nearest: digits"):
        sets.row("digit")


def test_a_file_is_not_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "x.png").touch()
    with pytest.raises(DataError, match=r"x.png: neither a folder of images nor a whole tar file"):
        open_splits(str(tmp_path / "x.png"))


def test_a_function_of_the_users_own_is_a_data_set(tmp_path: Path) -> None:
    splits = open_splits(f"{__name__}:tiny_splits", root=tmp_path, image_size=16)
    assert splits.split_rule == f"root {tmp_path}"
    assert splits.train.view.crop_px == 16


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        (f"{__name__}:nothing", DataError, "gave NoneType"),
        (f"{__name__}:statistics", DataError, "TypeError"),
        (f"{__name__}:absent", UnknownNameError, "has no 'absent'"),
        ("no_such_package.module:f", UnknownNameError, "no module named 'no_such_package'"),
    ],
)
def test_a_function_that_gives_no_splits_is_named(name: str, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind, match=reason):
        open_splits(name)


def test_labels_that_do_not_fit_the_images_are_errors() -> None:
    settings = {"name": "own", "split": "train", "classes": ("a", "b"), "view": digits.VIEW}
    images = np.zeros((3, 8, 8), dtype=np.uint8)
    with pytest.raises(DataError, match="3 images, but 2 labels"):
        ArrayReader(**settings, images=images, targets=np.array([0, 1]))
    with pytest.raises(DataError, match=r"own/train\[2\]: label 2 is not one of 0\.\.1"):
        ArrayReader(**settings, images=images, targets=np.array([0, 1, 2]))


def as_idx(array: np.ndarray) -> bytes:
    sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sides + array.tobytes()


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_are_read_plain_and_zipped(suffix: str, tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    path = tmp_path / f"images{suffix}"
    path.write_bytes(gzip.compress(as_idx(array)) if suffix else as_idx(array))
    assert np.array_equal(read_idx(path, shape=(5, 4, 3)), array)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: b"", "not an idx file"),
        (lambda data: b"\1" + data[1:], "not an idx file"),
        (lambda data: data[:2] + b"\x0d" + data[3:], "not an idx file"),
        (lambda data: data[:-1], "59 bytes of values, expected 60; the file is cut off"),
        (lambda data: data + b"x", "more than 60 bytes of values, expected 60"),
        (lambda data: data[:7] + b"\6" + data[8:], "holds 6 x 4 x 3 values, expected 5 x 4 x 3"),
    ],
    ids=["empty", "magic", "type", "cut", "long", "shape"],
)
def test_damaged_idx_files_say_what_is_wrong(change, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(change(as_idx(np.zeros((5, 4, 3), dtype=np.uint8))))
    with pytest.raises(DataError, match=f"images: .*{reason}"):
        read_idx(path, shape=(5, 4, 3))


def test_a_damaged_gzip_is_a_data_error(tmp_path: Path) -> None:
    whole = gzip.compress(as_idx(np.random.default_rng(0).integers(0, 256, (50, 4, 3), dtype=np.uint8)))
    for name, data in {
        "cut.gz": whole[:-20],
        "text.gz": b"text",
        "flip.gz": whole[:30] + b"###" + whole[33:],
    }.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=name):
            read_idx(tmp_path / name, shape=(50, 4, 3))


def test_mnist_is_read_from_the_same_files_in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "FILES", {split: (*names, 12) for split, (*names, _) in idx.FILES.items()})
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for images, labels, count in idx.FILES.values():
        (raw / images).write_bytes(as_idx(np.full((count, 28, 28), 7, np.uint8)))
        (raw / labels).write_bytes(as_idx((np.arange(count) % 10).astype(np.uint8)))
    splits = open_splits("mnist")
    assert splits.train.classes == tuple("0123456789")
    assert splits.test[11].target == 1


def test_fashion_mnist_is_found_in_torchvisions_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = replace(fashion_mnist.FASHION_MNIST, debian=tmp_path / "none")
    monkeypatch.setattr(fashion_mnist, "open_splits", elsewhere.open_splits)
    monkeypatch.setattr(idx, "FILES", {split: (*names, 12) for split, (*names, _) in idx.FILES.items()})
    with pytest.raises(DataError, match=r"no idx files in .*`resvision data fetch fashion-mnist`.*--root.*Debian"):
        open_splits("fashion-mnist")
    raw = tmp_path / "data" / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)
    for images, labels, count in idx.FILES.values():
        (raw / images).write_bytes(as_idx(pixels))
        (raw / f"{labels}.gz").write_bytes(gzip.compress(as_idx((np.arange(count) % 10).astype(np.uint8))))
    for root in (None, tmp_path / "data", raw):
        splits = open_splits("fashion-mnist", root=root)
        assert np.array_equal(splits.train.images, pixels)
        assert splits.test[11].target == 1


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_the_real_fashion_mnist_has_the_stated_counts_and_normalization() -> None:
    splits = open_splits("fashion-mnist")
    assert (len(splits.train), len(splits.test)) == (60_000, 10_000)
    assert np.bincount(splits.train.targets).tolist() == [6000] * 10
    pixels = splits.train.images / 255
    assert pixels.mean() == pytest.approx(splits.train.view.mean[0], abs=1e-4)
    assert pixels.std() == pytest.approx(splits.train.view.std[0], abs=1e-4)


def cifar_batch(count: int, seed: int, *, labels: bytes = b"labels") -> dict[bytes, object]:
    draws = np.random.default_rng(seed)
    return {
        b"batch_label": b"a batch",
        labels: draws.integers(0, 10, count).tolist(),
        b"data": draws.integers(0, 256, (count, 3072), dtype=np.uint8),
        b"filenames": [b"x.png"] * count,
    }


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_batches_become_rgb_images(
    name: str, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, whole = (cifar10, cifar10.CIFAR10) if name == "cifar10" else (cifar100, cifar100.CIFAR100)
    small = replace(whole, files={split: (files, 6) for split, (files, _) in whole.files.items()})
    monkeypatch.setattr(module, "open_splits", small.open_splits)
    folder = tmp_path / "data" / whole.folder
    folder.mkdir(parents=True)
    files = [file for files, _ in whole.files.values() for file in files]
    written = [cifar_batch(6, seed, labels=whole.labels) for seed in range(len(files))]
    for file, batch in zip(files, written, strict=True):
        (folder / file).write_bytes(pickle.dumps(batch, protocol=protocol))
    splits = open_splits(name)
    assert (len(splits.train), len(splits.test)) == (6 * len(files) - 6, 6)
    last = splits.train[len(splits.train) - 5]  # the second of the last training batch
    assert last.target == written[-2][whole.labels][1]
    red, green, blue = written[-2][b"data"][1].reshape(3, 32, 32)
    assert np.array_equal(last.image, np.stack([red, green, blue], axis=2))


def test_the_hundred_classes_are_in_the_order_of_their_labels() -> None:
    names = cifar100.CLASSES
    assert len(names) == 100
    assert list(names) == sorted(set(names))


def read_small(path: Path) -> object:
    return read_batch(path, labels=b"labels", images=6, classes=10)


class Malicious:
    """A pickle of it would run a command."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("harmed"),))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (Malicious(), "asks for pathlib.*refused"),
        ({b"data": Malicious(), b"labels": []}, "asks for pathlib.*refused"),
        ([1, 2], "not a batch of CIFAR"),
        ({b"data": b"text", b"labels": [0] * 6}, "not an array of bytes"),
        ({b"data": np.zeros((6, 3072)), b"labels": [0] * 6}, "not an array of bytes"),
        ({b"data": np.zeros((5, 3072), dtype=np.uint8), b"labels": [0] * 6}, r"shape \(5, 3072\)"),
        ({b"data": np.zeros((6, 3072), dtype=np.uint8), b"labels": [0] * 5}, "not a list of 6"),
        ({b"data": np.zeros((6, 3072), dtype=np.uint8), b"labels": [10] * 6}, r"numbers of 0\.\.9"),
    ],
)
def test_a_batch_that_is_anything_else_is_refused(
    content: object, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=f"data_batch_1: .*{reason}"):
        read_small(tmp_path / "data_batch_1")
    assert not (tmp_path / "harmed").exists()


def test_a_cut_batch_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps(cifar_batch(6, 0))[:-500])
    with pytest.raises(DataError, match="data_batch_1: a damaged batch"):
        read_small(tmp_path / "data_batch_1")


def test_the_root_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert default_root() == tmp_path / "data"
    monkeypatch.delenv("RESVISION_DATA")
    assert default_root() == tmp_path / "cache" / "resvision" / "data"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_root() == Path.home() / ".cache" / "resvision" / "data"


def test_a_gzipped_idx_file_of_gigabytes_is_refused_without_unpacking_it(tmp_path: Path) -> None:
    whole = as_idx(np.zeros((5, 4, 3), dtype=np.uint8))
    (tmp_path / "images.gz").write_bytes(gzip.compress(whole) + gzip.compress(bytes(2**27), 1))
    with pytest.raises(DataError, match="more than 60 bytes of values"):
        read_idx(tmp_path / "images.gz", shape=(5, 4, 3))


def test_a_folder_with_the_name_of_a_set_that_is_not_here_is_pointed_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"names the folder that holds coco$"):
        open_splits("coco", task=None)
    (tmp_path / "coco").mkdir()
    with pytest.raises(DataError, match=r"; the folder of that name here is \./coco$"):
        open_splits("coco", task=None)
