"""A bundle is found by its path or by the name that the package ships it under."""

from pathlib import Path

import pytest

from resvision.core.errors import RunError, UnknownNameError
from resvision.runtime import shipped


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped bundles that holds one, `small-digits`."""
    (tmp_path / "small-digits").mkdir()
    (tmp_path / "small-digits" / "bundle.json").write_text("{}")
    monkeypatch.setattr(shipped, "SHIPPED_IN", tmp_path)
    monkeypatch.setattr(shipped, "SHIPPED", shipped._shipped_names())
    return tmp_path


def test_a_shipped_name_leads_to_its_folder(shelf: Path) -> None:
    assert shipped.SHIPPED == ("small-digits",)
    assert shipped.place_of("small-digits") == shelf / "small-digits"
    assert shipped.is_place("small-digits")


def test_a_folder_with_a_bundle_leads_to_itself(shelf: Path) -> None:
    folder = shelf / "small-digits"
    assert shipped.place_of(folder) == folder
    assert shipped.place_of(str(folder)) == folder


def test_a_misspelled_name_gives_the_nearest(shelf: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown bundle 'smal-digits'; nearest: small-digits"):
        shipped.place_of("smal-digits")


def test_a_folder_without_a_bundle_is_told(shelf: Path) -> None:
    with pytest.raises(RunError, match=r"holds no bundle\.json"):
        shipped.place_of(shelf)
