"""Pickles: plain values of torch.save in both of its forms, and nothing else."""

import pickle
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from resvision.core.errors import DataError
from resvision.data.pickles import read_saved

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
