"""Images of 16 bits whose values fill 12 of them: said before training and by the check, with what to do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resvision.data.check import check
from resvision.data.deep_images import REMEDY
from resvision.data.sets import open_splits

DRAWS = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def grey(path: Path, bits: int) -> None:
    """A picture of 16 bits whose values fill so many of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(DRAWS.integers(0, 2**bits, (20, 20), dtype=np.uint16)).save(path)


def mask(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.resize(np.uint8([0, 1]), (20, 20))).save(path)


def of_classes(folder: Path, ending: str, bits: int) -> Path:
    for name in ("a/0", "a/1", "b/0", "b/1"):
        grey(folder / f"{name}.{ending}", bits)
    return folder


def of_masks(folder: Path, ending: str, bits: int) -> Path:
    for number in range(4):
        grey(folder / "images" / f"{number}.{ending}", bits)
        mask(folder / "masks" / f"{number}.png")
    return folder


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("grow", [of_classes, of_masks])
def test_12_bits_of_16_are_said_once_with_the_remedy(
    tmp_path: Path, grow: Callable[[Path, str, int], Path], ending: str
) -> None:
    dark = grow(tmp_path / "dark", ending, 12)
    for _ in range(2):  # decoded, and from the cache
        assert open_splits(str(dark), task=None).notes == (f"its images of 16 bits hold {REMEDY}",)
        assert check(str(dark)).notes == [f"4 images of 16 bits hold {REMEDY}"]
        assert check(str(dark)).faults == []
    bright = grow(tmp_path / "bright", ending, 16)
    assert open_splits(str(bright), task=None).notes == ()
    assert check(str(bright)).notes == []


def test_dark_images_of_8_bits_are_only_dark(tmp_path: Path) -> None:
    for name in ("a/0", "a/1", "b/0", "b/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(DRAWS.integers(0, 9, (20, 20), dtype=np.uint8)).save(tmp_path / f"{name}.png")
    assert open_splits(str(tmp_path)).notes == ()
    assert check(str(tmp_path)).notes == []
