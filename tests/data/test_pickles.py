"""Pickles: plain values of torch.save in both of its forms, and nothing else."""

import os
import pickle
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from resvision.core.errors import DataError
from resvision.data import pickles
from resvision.data.cifar import read_batch
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


def shared_tuples(depth: int) -> bytes:
    """A tuple of the tuple before it, twice, and so on, as the key of a dictionary: to hash it takes 2^depth steps."""
    tuples = b"".join(b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) + b"0" for n in range(depth))
    return b"\x80\x02)q\x000" + tuples + b"}h" + bytes([depth])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (shared_tuples(60) + b"K\1s.", "keys are neither texts nor numbers"),
        (shared_tuples(60)[:-2] + b"(h\x3cK\1u.", "keys are neither texts nor numbers"),
        (b"\x80\x04(h\x00\x90.", "damaged"),
        (b"\x80\x02" + b"]" * 10_001, "a pickle of more than 10,000 operations"),
        (b"\x80\x05\x96" + (3 * 10**9).to_bytes(8, "little"), "damaged"),
    ],
    ids=["a key without end", "keys without end", "a set", "millions of lists", "room for gigabytes"],
)
def test_a_pickle_that_would_take_for_ever_or_all_memory_is_refused(
    content: bytes, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickles, "MOST_OPERATIONS", 10_000)
    (tmp_path / "batch").write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_batch(tmp_path / "batch", labels=b"labels", images=1, classes=2)


def test_a_batch_that_is_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "batch")
    with pytest.raises(DataError, match="not a regular file"):
        read_batch(tmp_path / "batch", labels=b"labels", images=1, classes=2)
