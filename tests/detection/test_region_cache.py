import os
from pathlib import Path

import numpy as np
import pytest

from resvision.core.images import Pixels
from resvision.data.roots import cache_root
from resvision.detection import region_cache
from resvision.detection.parts import selective_search
from resvision.detection.proposing import SearchedRegions
from resvision.kinds.detection.boxes import Floats

IMAGE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
REGIONS = np.array([[0.0, 0.0, 6.0, 4.0], [1.0, 1.0, 2.5, 3.0]])


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[Pixels]:
    """The images that were searched, in the place of a search."""
    searched: list[Pixels] = []

    def search(pixels: Pixels) -> Floats:
        searched.append(pixels)
        return REGIONS

    monkeypatch.setattr(selective_search, "selective_search", search)
    monkeypatch.setattr(selective_search, "version", lambda: "5")
    return searched


def test_an_image_is_searched_once_whatever_its_name(searches: list[Pixels]) -> None:
    times: list[float] = []
    for name in ("a.png", "b.png"):
        assert np.array_equal(SearchedRegions(times).in_image(IMAGE, name), REGIONS)
    assert len(searches) == len(times) == 1
    SearchedRegions().in_image(IMAGE + 1, "a.png")
    assert len(searches) == 2
    SearchedRegions(kept=False).in_image(IMAGE, "a.png")
    assert len(searches) == 3


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content.replace(b"regions", b"reginos"),
        lambda content: content[:-16] + np.float32([5, 5, 1, 1]).tobytes(),
        lambda content: content[:-16] + np.float32([0, 0, 9, 1]).tobytes(),
        lambda content: content[:-16] + np.float32([0, 0, np.nan, 1]).tobytes(),
    ],
    ids=["cut off", "empty", "another tensor", "corners in another order", "outside the image", "no number"],
)
def test_damaged_files_are_made_anew(damage: object, searches: list[Pixels]) -> None:
    source = SearchedRegions()
    source.in_image(IMAGE, "a.png")
    (file,) = region_cache.folder().iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert np.array_equal(source.in_image(IMAGE, "a.png"), REGIONS)
    assert len(searches) == 2
    assert file.read_bytes() == whole


def test_another_set_up_or_shape_has_regions_of_its_own() -> None:
    keys = {region_cache.key(image, text) for image in (IMAGE, IMAGE.reshape(6, 4, 3)) for text in ("1", "2")}
    assert len(keys) == 4
    assert region_cache.key(IMAGE[..., 0], "1") == region_cache.key(IMAGE[..., :1], "1")


def test_a_folder_that_cannot_be_written_costs_only_time(searches: list[Pixels]) -> None:
    cache_root().parent.mkdir(exist_ok=True)
    cache_root().write_text("a file where the folder should be")
    for _ in range(2):
        assert np.array_equal(SearchedRegions().in_image(IMAGE, "a.png"), REGIONS)
    assert len(searches) == 2


def test_the_oldest_files_go_where_all_pass_the_bound() -> None:
    for age in range(4):
        region_cache.write(f"{age}", REGIONS)
        (region_cache.folder() / f"{age}.safetensors").touch()
        os.utime(region_cache.folder() / f"{age}.safetensors", ns=(0, 10**18 + age))
    size = (region_cache.folder() / "0.safetensors").stat().st_size
    region_cache.forget_oldest(2 * size)
    assert sorted(path.name for path in region_cache.folder().iterdir()) == ["2.safetensors", "3.safetensors"]
    assert region_cache.read("3", (4, 6)) is not None
    assert region_cache.read("0", (4, 6)) is None


def test_no_region_is_kept_as_such(searches: list[Pixels]) -> None:
    region_cache.write("none", np.empty((0, 4)))
    kept = region_cache.read("none", (4, 6))
    assert kept is not None
    assert kept.shape == (0, 4)
