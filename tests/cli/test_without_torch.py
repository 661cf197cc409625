"""What the light install has to do: data sets are listed and checked, and kinds are found, without torch."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_runs import write_run
from support import scenes

import resvision
from resvision.catalog import find
from resvision.core.references import EXTRAS
from resvision.kinds.table import TASKS
from resvision.launch import Finished
from resvision.papers.counts import counts

BLOCKED = """
import contextlib, io, json, sys
from importlib.abc import MetaPathFinder

BLOCKED = set(json.loads(sys.argv.pop(1)))

class Refusing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refusing())
"""
VERBS = """
from resvision.cli.main import run
done = []
for words in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = run(words)
    done.append([code, out.getvalue()])
print(json.dumps(done))
"""
COMMANDS = """
from typer.main import get_command
from resvision.cli.main import application

def paths(command, path):
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from paths(inner, [*path, name])

print(json.dumps([*paths(get_command(application()), [])]))
"""
PUBLIC = """
import resvision
from resvision.core.errors import MissingExtraError
told = {}
for name in resvision.__all__:
    try:
        getattr(resvision, name)
        if name == "build":
            resvision.build("resnet50", num_classes=10)
    except MissingExtraError as error:
        told[name] = str(error)
print(json.dumps(told))
"""
KINDS = """
from resvision.kinds.table import TASKS, kind_of
kinds = [kind_of(name) for name in TASKS]
print(json.dumps([[kind.name, kind.main, [protocol.name for protocol in kind.protocols]] for kind in kinds]))
"""


def without_torch(code: str, *words: str, cache: Path, blocked: Iterable[str] = ("torch", "torchvision")) -> Any:
    """What a process that cannot import torch, or other modules, prints, as plain data."""
    environment = {"PATH": "", "HOME": str(cache), "XDG_CACHE_HOME": str(cache), "PYTHONPATH": ":".join(sys.path)}
    made = subprocess.run(
        [sys.executable, "-c", BLOCKED + code, json.dumps([*blocked]), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
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
    assert {row["task"] for row in json.loads(as_json[1])["data_sets"]} == {*TASKS}
    assert digits == [0, "digits: 1,797 images, 1,797 fine, 0 faults, 0 in both splits\n"]
    assert classes == [0, f"{photos}: 4 images, 4 fine, 0 faults, 0 in both splits\n"]
    assert label_maps == [0, f"{masks}: 4 images, 4 fine, 0 faults, 0 in both splits\n"]
    assert faulty[0] == 1
    assert f"{damaged / 'masks' / '1.png'}: an empty file" in faulty[1]


def test_kinds_are_found_without_torch(tmp_path: Path) -> None:
    classes, label_maps, boxes, windows = without_torch(KINDS, cache=tmp_path)
    assert classes[0] == "classification"
    assert label_maps[0] == "segmentation"
    assert boxes[0] == "detection"
    assert windows[0] == "motion"
    assert "sliding-window" in label_maps[2]
    assert "voc07" in boxes[2]


def test_the_process_of_these_tests_cannot_import_torch(tmp_path: Path) -> None:
    code = "try:\n    import torch\nexcept ModuleNotFoundError as error:\n    print(json.dumps(error.name))\n"
    assert without_torch(code, cache=tmp_path) == "torch"


LACKS = re.compile(r"resvision: this needs (\w+), which is not installed: pip install 'resvision\[train\]'\n")

WORDS = [
    "inspect resnet50 --paper",
    "inspect resnet50 --csv",
    "inspect resnet50 --svg a.svg",
    "inspect resnet50 --option width=32",
    "data check digits",
    "data fetch fashion-mnist",
    "train resnet20 --data digits",
    "train --resume RUN",
    "evaluate RUN",
    "evaluate RUN --json",
    "evaluate RUN RUN --table",
    "predict RUN PHOTO",
    "predict RUN PHOTO --json",
    "predict resnet50 --weights torchvision PHOTO",
    "report RUN",
    "study degradation",
    "convert PHOTO resnet50 -o b.safetensors",
]
"""Commands that need an extra."""


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """A process that has the light install alone."""
    return partial(without_torch, cache=tmp_path_factory.mktemp("light"), blocked=EXTRAS)


def test_every_command_of_the_light_install_shows_its_help_and_fails_in_a_line(
    light: Callable[..., Any], photos: Path, finished: Finished
) -> None:
    paths = light(COMMANDS)
    assert ["data", "check"] in paths
    places = {"RUN": str(finished.folder), "PHOTO": str(photos / "cat" / "0.png")}
    asked = [[places.get(word, word) for word in words.split()] for words in WORDS]
    words = [*[[*path, "--help"] for path in paths], *paths, *asked]
    shown = light(VERBS, json.dumps(words))
    helps, bare, needing = shown[: len(paths)], shown[len(paths) : 2 * len(paths)], shown[2 * len(paths) :]
    assert all(code == 0 and "Usage: " in text for code, text in helps)
    assert all(code in {0, 2} and text for code, text in bare)
    assert [
        words for words, (code, text) in zip(WORDS, needing, strict=True) if code != 2 or not LACKS.fullmatch(text)
    ] == []


def test_kept_counts_are_inspected_by_the_light_install(light: Callable[..., Any]) -> None:
    words = [["inspect", "resnet50", "fcn8s"], ["inspect", "resnet50", "--json"], ["inspect", "resnet5"]]
    (code, table), (_, document), (unknown, told) = light(VERBS, json.dumps(words))
    assert code == 0
    assert all(f"{counts()[name].params:,}" in table and f"{counts()[name].macs:,}" in table for name in words[0][1:])
    assert "layers, shapes and options need torch: pip install 'resvision[train]'" in table
    (model,) = json.loads(document)["models"]
    assert model == {
        "name": "resnet50",
        "paper": find("resnet50").paper,
        "year": 2015,
        "num_classes": 1000,
        "input": [3, 224, 224],
        "params": 25_557_032,
        "macs": 4_089_184_256,
    }
    assert (unknown, told[:33]) == (2, "resvision: unknown model 'resnet5")


def test_public_names_of_the_light_install_say_which_extra_they_need(light: Callable[..., Any]) -> None:
    told = light(PUBLIC)
    light_types = {
        "ClassificationScores",
        "SegmentationScores",
        "DetectionScores",
        "ClassScores",
        "LabelMap",
        "Detections",
    }
    assert set(told) == {*resvision.__all__} - light_types
    assert all(
        re.fullmatch(r"this needs \w+, which is not installed: pip install 'resvision\[train\]'", line)
        for line in told.values()
    )


def test_recipes_settings_and_runs_are_listed_without_torch(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "run")
    words = [["recipes", "resnet20"], ["settings", "model", "--model", "fcn"], ["runs", str(tmp_path / "runs")]]
    recipes, settings, runs = without_torch(VERBS, json.dumps(words), cache=tmp_path / "cache")
    assert [recipes[0], settings[0], runs[0]] == [0, 0, 0]
    assert "cifar-2015" in recipes[1]
    assert "model.options.output_stride" in settings[1]
    assert "10.00% top-1 error" in runs[1]
