"""What the light install has to do: data sets are listed and checked, and kinds are found, without torch."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support import scenes

BLOCKED = """
import contextlib, io, json, sys
from importlib.abc import MetaPathFinder

class Refusing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refusing())
"""
VERBS = """
from resvision.cli.main import run
done = []
for words in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = run(words)
    done.append([code, out.getvalue()])
print(json.dumps(done))
"""
KINDS = """
from resvision.kinds.table import TASKS, kind_of
kinds = [kind_of(name) for name in TASKS]
print(json.dumps([[kind.name, kind.main, [protocol.name for protocol in kind.protocols]] for kind in kinds]))
"""


def without_torch(code: str, *words: str, cache: Path) -> Any:
    """What a process that cannot import torch prints, as plain data."""
    environment = {"PATH": "", "HOME": str(cache), "XDG_CACHE_HOME": str(cache), "PYTHONPATH": ":".join(sys.path)}
    made = subprocess.run(
        [sys.executable, "-c", BLOCKED + code, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    draws = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            pixels = draws.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.png")
    return tmp_path / "photos"


def test_data_sets_and_folders_are_listed_and_checked_without_torch(photos: Path, tmp_path: Path) -> None:
    masks = scenes(tmp_path / "masks", images=4)
    damaged = scenes(tmp_path / "damaged", images=3)
    (damaged / "masks" / "1.png").write_bytes(b"")
    words = [["data", "list"], ["data", "list", "--json"]]
    words += [["data", "check", name] for name in ("digits", str(photos), str(masks), str(damaged))]
    listed, as_json, digits, classes, label_maps, faulty = without_torch(
        VERBS, json.dumps(words), cache=tmp_path / "cache"
    )
    assert listed[0] == as_json[0] == 0
    assert "for segmentation: images/ and masks/" in listed[1]
    assert {row["task"] for row in json.loads(as_json[1])["data_sets"]} == {"classification", "segmentation"}
    assert digits == [0, "digits: 1,797 images, 1,797 fine, 0 faults, 0 in both splits\n"]
    assert classes == [0, f"{photos}: 4 images, 4 fine, 0 faults, 0 in both splits\n"]
    assert label_maps == [0, f"{masks}: 4 images, 4 fine, 0 faults, 0 in both splits\n"]
    assert faulty[0] == 1
    assert f"{damaged / 'masks' / '1.png'}: an empty file" in faulty[1]


def test_kinds_are_found_without_torch(tmp_path: Path) -> None:
    classes, label_maps = without_torch(KINDS, cache=tmp_path)
    assert classes[0] == "classification"
    assert label_maps[0] == "segmentation"
    assert "sliding-window" in label_maps[2]


def test_the_process_of_these_tests_cannot_import_torch(tmp_path: Path) -> None:
    code = "try:\n    import torch\nexcept ModuleNotFoundError as error:\n    print(json.dumps(error.name))\n"
    assert without_torch(code, cache=tmp_path) == "torch"
