"""Pickles: plain values of torch.save in both of its forms, and nothing else."""

import pickle
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch

from resvision.core.errors import DataError
from resvision.data import pickles
from resvision.data.pickles import read_arrays, read_saved

VALUES = [
    {"n01440764": ("tench", "Tinca tinca"), "n01443537": ("goldfish",)},
    ([1, -(2**70), 0.25, None, True], {3: "고양이"}),
    {},
]


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize("values", VALUES)
def test_plain_values_are_read_in_both_forms(values: Any, as_zip: bool, tmp_path: Path) -> None:
    torch.save(values, tmp_path / "saved.bin", _use_new_zipfile_serialization=as_zip)
    assert read_saved(tmp_path / "saved.bin") == values


class Harmful:
    """An object that runs a command where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("open('harmed', 'w').close()",)


@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize(
    ("values", "named"),
    [
        (torch.zeros(2), r"torch\._utils\._rebuild_tensor_v2"),
        (OrderedDict(a=1), r"collections\.OrderedDict"),
        ([Fraction(1, 3)], r"fractions\.Fraction"),
        ({"a": Harmful()}, r"(__builtin__|builtins)\.exec"),
    ],
)
def test_a_pickle_that_names_anything_is_refused_by_that_name(
    values: Any, named: str, as_zip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(values, "saved.bin", _use_new_zipfile_serialization=as_zip)
    with pytest.raises(DataError, match=rf"asks for {named}, refused"):
        read_saved(tmp_path / "saved.bin")
    assert not (tmp_path / "harmed").exists()


def test_a_harmful_first_value_of_the_old_form_is_refused_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "saved.bin").write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(DataError, match="refused"):
        read_saved(tmp_path / "saved.bin")
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("reader", [read_saved, read_arrays])
def test_a_pickle_that_announces_gigabytes_is_refused_without_making_room(
    reader: Callable[[Path], Any], tmp_path: Path
) -> None:
    for opcode in (pickle.BYTEARRAY8, pickle.BINBYTES8, pickle.BINUNICODE8):
        (tmp_path / "saved.bin").write_bytes(opcode + (2**31).to_bytes(8, "little") + b".")
        tracemalloc.start()
        with pytest.raises((DataError, pickle.UnpicklingError, EOFError, IndexError)):
            reader(tmp_path / "saved.bin")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**29


def test_values_that_inflate_beyond_the_limit_are_refused(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "saved.bin", "w", ZIP_DEFLATED) as archive:
        archive.writestr("saved/data.pkl", bytes(2**20))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pickles, "DOCUMENT", 2**16)
        with pytest.raises(DataError, match="values of more than"):
            read_saved(tmp_path / "saved.bin")
