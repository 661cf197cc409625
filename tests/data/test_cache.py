"""The cache of facts: what is not of its form is worked out anew."""

import json
import os
from pathlib import Path

import pytest

from resvision.data import cache
from resvision.data.check import Decoded
from resvision.data.folder_reader import HeaderFacts
from resvision.data.mask_headers import FileFacts

MASK = "f" + "0" * 63


@pytest.fixture(autouse=True)
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "resvision" / "checks").mkdir(parents=True)
    return tmp_path / "resvision" / "checks"


@pytest.mark.parametrize(
    ("form", "result"),
    [
        (FileFacts, FileFacts(True, False, [1], 0, [MASK])),
        (HeaderFacts, HeaderFacts(None, False, True)),
        (HeaderFacts, HeaderFacts(32, True, False)),
        (Decoded, Decoded([], [], 3)),
        (list[cache.Count], [0, 2**40]),
    ],
)
def test_a_result_is_kept(form: type, result: object, checks: Path) -> None:
    (checks / ".older.0123456789abcdef.new").touch()  # of a killed process
    cache.write("check", "0", result)
    assert cache.read("check", "0", form) == result
    assert [path.name for path in checks.iterdir()] == ["0.check.json"]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (FileFacts, "[" * 100_000),
        (FileFacts, json.dumps([True, False, [0], 0, [MASK]])),
        (FileFacts, json.dumps([True, False, [-5], 0, []])),
        (FileFacts, json.dumps([True, False, [10**400], 0, []])),
        (FileFacts, json.dumps([True, False, [5], 0, [MASK[1:], MASK + "0"]])),
        (FileFacts, json.dumps([True, False, [5], 0, ["고" * 64]])),
        (FileFacts, json.dumps({"colour": True, "shortest_px": 5, "values": []})),
        (HeaderFacts, json.dumps([0, True, False])),
        (HeaderFacts, json.dumps(["32", True, False])),
        (HeaderFacts, json.dumps([32, 1, False])),
        (Decoded, json.dumps([[["a", 3]], [], 0])),
        (Decoded, json.dumps([])),
        (list[cache.Count], json.dumps([-1])),
        (list[cache.Count], json.dumps([2**63])),
        (list[cache.Count], json.dumps([True])),
        (list[cache.Count], "\x00"),
        (list[cache.Count], ""),
    ],
)
def test_a_damaged_result_is_none(form: type, text: str, checks: Path) -> None:
    (checks / "0.check.json").write_text(text)
    assert cache.read("check", "0", form) is None


def test_a_pipe_is_none(checks: Path) -> None:
    os.mkfifo(checks / "0.check.json")
    assert cache.read("check", "0", HeaderFacts) is None
