import multiprocessing
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resvision.core import references
from resvision.core.errors import UnknownNameError
from resvision.core.own_modules import OWN_MODULES

NAMES = ("own_first", "own_neighbour", "own_later", "own_stranger")

FIRST = """
import own_neighbour

def later():
    import own_later
    return own_later.VALUE

class Thing: ...
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with modules of a user's own."""
    (tmp_path / "own_first.py").write_text(FIRST)
    for name in NAMES[1:]:
        (tmp_path / f"{name}.py").write_text("VALUE = __name__\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(OWN_MODULES, "folders", {})
    yield tmp_path
    for name in NAMES:
        sys.modules.pop(name, None)


def test_a_module_of_the_working_folder_is_found_by_its_reference_and_the_path_stays(folder: Path) -> None:
    before = list(sys.path)
    assert references.load("own_first:later", noun="model")
    assert sys.path == before


def test_a_module_that_nobody_named_is_not_found(folder: Path) -> None:
    references.load("own_first:later", noun="model")
    with pytest.raises(ModuleNotFoundError):
        __import__("own_stranger")


def test_a_module_of_ones_own_finds_its_neighbours_when_it_is_loaded_and_from_any_folder_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = references.load("own_first:later", noun="model")
    assert "own_neighbour" in sys.modules
    monkeypatch.chdir("/")
    assert later() == "own_later"


def test_rows_of_our_tables_are_never_looked_for_in_the_working_folder(folder: Path) -> None:
    (folder / "resvision").mkdir()
    (folder / "resvision/own_first.py").write_text("raise AssertionError\n")
    with pytest.raises(UnknownNameError):
        references.load("resvision.own_first:later", noun="model")


def test_an_installed_module_is_taken_before_that_of_the_working_folder(folder: Path) -> None:
    (folder / "colorsys.py").write_text("raise AssertionError\n")
    sys.modules.pop("colorsys", None)
    assert references.load("colorsys:rgb_to_hsv", noun="model")


def test_a_deleted_working_folder_is_no_place_to_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(UnknownNameError, match="no module named 'own_first'"):
        references.load("own_first:later", noun="model")


def type_name(pickled: bytes) -> str:
    _, thing = pickle.loads(pickled)
    return type(thing).__name__


def test_a_new_process_finds_the_classes_that_are_sent_to_it(folder: Path) -> None:
    thing = references.load("own_first:Thing", noun="model")()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(type_name, [pickle.dumps((OWN_MODULES, thing))]) == "Thing"
