"""Splits: their fingerprints are those that runs have kept so far, and change with names and classes alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resvision.core.samples import Reader, Sample
from resvision.core.views import Stretch
from resvision.data import digits
from resvision.data.arrays import ArrayReader
from resvision.data.sets import open_splits
from resvision.data.splits import Splits
from resvision.data.validation import hold_out

IMAGES = 8


@pytest.fixture(autouse=True)
def _no_cache_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def class_folder(folder: Path) -> Path:
    draws = np.random.default_rng(0)
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(IMAGES):
            Image.fromarray(draws.integers(0, 256, (12, 10, 3), dtype=np.uint8)).save(folder / name / f"{number}.png")
    return folder


def mask_folder(folder: Path) -> Path:
    draws = np.random.default_rng(0)
    for part, most, shape in (("images", 256, (12, 10, 3)), ("masks", 2, (12, 10))):
        (folder / part).mkdir(parents=True)
        for number in range(IMAGES):
            Image.fromarray(draws.integers(0, most, shape, dtype=np.uint8)).save(folder / part / f"{number}.png")
    return folder


def test_fingerprints_are_those_that_runs_of_the_first_versions_keep(tmp_path: Path) -> None:
    """Without this such a run would not go on: its data would count as changed."""
    known = {
        "digits": ("933bf085b0938d77bd4cf3c29b815094", "19da9f0b98186e7888e38087f3a4227c"),
        "digit-scenes-composed": ("d0ce646dbb5e5c129f9d22d0300dda98", "c25e936a1780cf0e2fa8c80ab609f16b"),
        str(class_folder(tmp_path / "classes")): (
            "ae2c2e0886f863c2cfa0d5a331365240",
            "e192714ca615e65fe972cefd696772fb",
        ),
        str(mask_folder(tmp_path / "masks")): ("089eef887d979ae8529d3551927b1e1d", "4ea5793c432c5049852ed8a1b046bcdc"),
    }
    for name, (whole, held_out) in known.items():
        splits = open_splits(name, task=None)
        assert splits.fingerprint() == whole, name
        assert hold_out(splits, 0.2).fingerprint() == held_out, name


def two(targets: list[int], classes: tuple[str, ...] = ("a", "b")) -> Splits:
    reader = ArrayReader(
        name="made",
        split="train",
        classes=classes,
        view=digits.VIEW,
        images=np.zeros((len(targets), 8, 8), dtype=np.uint8),
        targets=np.array(targets),
    )
    return Splits(reader, reader, "the same twice")


def test_a_label_a_class_and_the_number_of_images_change_the_fingerprint_and_views_do_not() -> None:
    first = two([0, 1, 1])
    assert first.fingerprint() == two([0, 1, 1]).fingerprint()
    others = [two([0, 1, 0]), two([0, 1, 1, 1]), two([0, 1, 1], ("a", "c")), first._replace(validation=first.test)]
    assert len({first.fingerprint(), *(other.fingerprint() for other in others)}) == 5
    assert first.seen_as(channels=3, image_size=16).fingerprint() == first.fingerprint()


class Angles(Reader[float]):
    """Targets that are no classes, each from a line of a file."""

    name, split, classes = "angles", "train", ()
    view = Stretch(channels=1, resize_px=8, crop_px=8, mean=(0.5,), std=(0.5,))

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> Sample[float]:
        return Sample(np.zeros((8, 8), dtype=np.uint8), self.target(index))

    def target(self, index: int) -> float:
        return 36.0 * index

    def source(self, index: int) -> str:
        return f"angles/{index}.png"

    def target_source(self, index: int) -> str:
        return f"angles.csv:{index + 2}"


def test_samples_without_strata_are_split_as_one_and_keep_their_places() -> None:
    splits = hold_out(Splits(Angles(), Angles(), "all twice"), 0.2)
    assert (len(splits.train), len(splits.validation or ())) == (8, 2)
    assert splits.split_rule.startswith("all twice; of the training images 20 % are held out")
    for part in (splits.train, splits.validation):
        assert part is not None
        for index in range(len(part)):
            number = round(part.target(index) / 36)
            assert part[index].target == part.target(index)
            assert part.source(index) == f"angles/{number}.png"
            assert part.target_source(index) == f"angles.csv:{number + 2}"
            assert part.stratum(index) is None
