"""Folders as people have them, through the verbs: three splits, litter, images and masks without splits."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import resvision
from resvision.core.errors import SettingsError
from resvision.launch import Finished

Cli = Callable[..., tuple[int, str, str]]
LITTER = "README.md", "labels.csv", "a/Thumbs.db", "a/._0.png", "__MACOSX/a/._0.png", "b/desktop.ini"


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def photos(folder: Path, count: int) -> Path:
    """Two classes of noise, dark and bright."""
    draws = np.random.default_rng(count)
    for darkest, name in ((0, "a"), (128, "b")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            noise = draws.integers(darkest, darkest + 128, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train, valid and test as an export writes them, with litter beside the classes of training."""
    folder = tmp_path_factory.mktemp("data") / "exported"
    for split, count in (("train", 4), ("valid", 2), ("test", 3)):
        photos(folder / split, count)
    for stray in LITTER:
        (folder / "train" / stray).parent.mkdir(parents=True, exist_ok=True)
        (folder / "train" / stray).write_bytes(b"\0stray")
    return folder


def settings() -> dict[str, object]:
    return {"model.options.width": 4, "machine.precision": "fp32", "machine.compile": False, "machine.workers": 0}


def test_a_run_is_judged_on_valid_on_its_way_and_on_test_at_the_end(exported: Path, tmp_path: Path, cli: Cli) -> None:
    choices = [word for name, value in settings().items() for word in ("--set", f"{name}={value}".lower())]
    out = tmp_path / "run"
    code, said, errors = cli(
        "train", "resnet20", "--data", exported, "--epochs", "1", "--batch-size", "4", "--out", out, *choices
    )
    assert code == 0, errors
    introduction = said + errors
    assert "8 train / 4 valid / 6 test images, from the folders train, valid and test" in introduction
    assert "6 files or folders are left out by name: " in introduction
    data = json.loads((out / "run.json").read_text())["data"]
    assert (data["train_images"], data["validation_images"], data["test_images"]) == (8, 4, 6)
    lines = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert {line["split"] for line in lines if "evaluation" in line} == {"validation"}
    assert "on 6 test images" in introduction
    with pytest.raises(SettingsError, match="brings validation images of its own; leave --validation out"):
        resvision.train(
            "resnet20", str(exported), epochs=1, settings={**settings(), "data.validation": 0.2}, quiet=True
        )


def test_prediction_of_a_folder_passes_over_litter(finished: Finished, tmp_path: Path, cli: Cli) -> None:
    for stray in ("README.md", "Thumbs.db", "._0.png", "__MACOSX/._0.png", ".DS_Store"):
        (tmp_path / stray).parent.mkdir(exist_ok=True)
        (tmp_path / stray).write_bytes(b"\0stray")
    Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(tmp_path / "digit.png")
    code, out, errors = cli("predict", finished.folder, tmp_path)
    assert code == 0, errors
    assert str(tmp_path / "digit.png") in out
    assert "stray" not in out + errors
    assert len(out.splitlines()) == 1
    assert "5 files or folders are left out by name" in errors


def test_images_and_masks_without_splits_are_scored_whole(segmented: Finished, squares: Path, tmp_path: Path) -> None:
    for part in ("images", "masks"):
        shutil.copytree(squares / "val" / part, tmp_path / part)
    shutil.copy(squares / "classes.txt", tmp_path)
    own = resvision.evaluate(segmented.folder)
    assert resvision.evaluate(segmented.folder, tmp_path).figures() == own.figures()
