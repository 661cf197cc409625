"""Images that a run knew, found again by name and content after their set has changed."""

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

from resvision.core import rundir
from resvision.core.errors import DataError, RunError
from resvision.data import excerpts, identities
from resvision.data.arrays import ArrayReader
from resvision.data.digits import VIEW
from resvision.data.excerpts import excerpt
from resvision.data.identities import Identities, identify, identities_of
from resvision.data.sets import open_splits
from resvision.data.splits import Splits
from resvision.data.validation import hold_out


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of ten pictures each."""
    draws = np.random.default_rng(0)
    for label in ("a", "b"):
        for number in range(10):
            file = tmp_path / "set" / label / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draws.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(file)
    return tmp_path / "set"


def opened(folder: Path) -> Splits:
    return open_splits(str(folder))


def sources(splits: Splits) -> list[str]:
    return [splits.test.source(index) for index in range(len(splits.test))]


def test_a_set_that_grew_is_tested_on_the_images_of_the_run(photos: Path) -> None:
    before = opened(photos)
    known = identify(before)
    for number in range(5):
        shutil.copy(photos / "a" / "3.png", photos / "a" / f"0{number}-new.png")
    grown = opened(photos)
    assert sources(grown) != sources(before)
    scored = known.own_test(grown)
    assert [scored.reader.source(index) for index in range(len(scored.reader))] == sources(before)
    assert [scored.reader.target(index) for index in range(len(scored.reader))] == [0, 0, 1, 1]
    assert (scored.new, scored.gone) == (5, 0)
    assert not known.overlap_with(scored.reader).trained.any()


def test_images_that_went_are_counted_and_a_set_without_any_is_refused(photos: Path) -> None:
    before = opened(photos)
    known = identify(before)
    test = [Path(source) for source in sources(before)]
    shutil.copy(test[0], test[0].with_name("new.png"))
    test[0].unlink()
    test[1].unlink()
    scored = known.own_test(opened(photos))
    assert (len(scored.reader), scored.new, scored.gone) == (2, 1, 2)
    for file in test[2:]:
        file.unlink()
    with pytest.raises(DataError, match="holds none of the run's 4 test images"):
        known.own_test(opened(photos))


def test_a_test_folder_of_the_set_itself_is_scored_whole(photos: Path) -> None:
    shutil.copytree(photos, photos.parent / "parted" / "train")
    shutil.copytree(photos, photos.parent / "parted" / "val")
    parted = photos.parent / "parted"
    known = identify(opened(parted))
    shutil.copy(parted / "val" / "a" / "0.png", parted / "val" / "a" / "more.png")
    scored = known.own_test(opened(parted))
    assert (len(scored.reader), scored.new, scored.gone) == (21, 1, 0)
    assert known.overlap_with(scored.reader).trained.all()  # all of them copies of training images


@pytest.mark.parametrize("how", ["moved", "linked", "packed"])
def test_the_own_set_is_known_at_another_place(photos: Path, how: str) -> None:
    known = identify(opened(photos))
    place = photos.parent / "elsewhere"
    if how == "moved":
        photos.rename(place)
    elif how == "linked":
        place.mkdir()
        for label in ("a", "b"):
            (place / label).symlink_to(photos / label)
    else:
        place = place.with_suffix(".tar")
        with tarfile.open(place, "w") as tar:
            tar.add(photos, "set")
    splits = opened(place)
    assert known.is_set_of(splits.readers)
    assert not known.is_set_of([splits.test])
    assert np.array_equal(identities_of(splits.train).contents, known.train.contents)
    assert known.own_test(splits).reader is splits.test


def test_images_are_known_under_other_names_and_not_by_their_names_alone(photos: Path) -> None:
    splits = hold_out(opened(photos), 0.2)
    known = identify(splits)
    other = photos.parent / "other"
    for label in ("a", "b"):
        (other / label).mkdir(parents=True)
        for file in (photos / label).iterdir():
            file.rename(other / label / f"renamed-{file.name}")
    whole = opened(other)
    seen = [known.overlap_with(reader) for reader in (whole.train, whole.test)]
    assert sum(int(each.trained.sum()) for each in seen) == len(splits.train)
    assert sum(int(each.validated.sum()) for each in seen) == len(splits.validation or ())
    for file in other.glob("*/*.png"):
        Image.new("RGB", (9, 9), (int(file.stem[8:]), 0, 0)).save(other / file.parent.name / file.name[8:])
        file.unlink()
    assert not known.is_set_of(opened(other).readers)
    assert not known.overlap_with(opened(other).train).trained.any()


def test_images_in_memory_are_known_by_their_pixels() -> None:
    pixels = np.arange(3 * 8 * 8, dtype=np.uint8).reshape(3, 8, 8)

    def reader(images: np.ndarray, name: str) -> ArrayReader:
        targets = np.zeros(len(images), np.int64)
        return ArrayReader(name=name, split="test", classes=("a",), view=VIEW, images=images, targets=targets)

    known = identify(Splits(reader(pixels[:2], "made"), reader(pixels[2:], "made"), ""))
    assert known.overlap_with(reader(pixels[::-1], "other")).trained.tolist() == [False, True, True]


def test_images_whose_content_cannot_be_had_are_known_by_their_names() -> None:
    def hashes(*values: int) -> np.ndarray:
        return np.array(values, dtype=np.uint64)

    known = Identities(hashes(1, 2), hashes(0, 20))
    asked = Identities(hashes(1, 2, 2, 3), hashes(7, 0, 21, 20))
    assert identities.among(asked, known).tolist() == [True, True, False, True]


def test_a_large_file_is_told_by_its_size_and_three_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excerpts, "PIECE", 2)
    file = tmp_path / "a"
    found = set()
    for text in (b"ab--cd--ef", b"Xb--cd--ef", b"ab--Xd--ef", b"ab--cd--eX", b"ab--cd--ef-", b"abcdef", b""):
        file.write_bytes(text)
        found.add(excerpt(file))
    assert len(found) == 7
    assert excerpt(tmp_path) is excerpt(tmp_path / "gone") is None


def test_the_file_of_a_run_is_read_as_it_was_written_and_a_damaged_one_is_refused(photos: Path, tmp_path: Path) -> None:
    assert identities.read(tmp_path) is None
    known = identify(hold_out(opened(photos), 0.2))
    identities.write(tmp_path, known)
    again = identities.read(tmp_path)
    assert again is not None
    for before, after in zip((*known.train, *known.validation), (*again.train, *again.validation), strict=True):
        assert np.array_equal(before, after)
    for damaged in (b"", b"{}", save({"train.names": np.zeros(3)}), save({"test.names": np.zeros((2, 2), np.uint64)})):
        (tmp_path / rundir.IMAGES).write_bytes(damaged)
        with pytest.raises(RunError, match=r"images\.safetensors: damaged"):
            identities.read(tmp_path)
