"""Evaluation says which images a run was trained on, also after its set has grown or moved."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import TINY

import resvision
from resvision.cli import overlap
from resvision.core import rundir
from resvision.data.identities import Overlap
from resvision.inference.evaluate import TrainedOnWarning
from resvision.launch import Finished, train
from resvision.report.pictures import gallery_of
from resvision.report.read import read_record

Cli = Callable[..., tuple[int, str, str]]


def photos(folder: Path) -> Path:
    """Two classes of ten pictures each, which a net cannot tell apart."""
    draws = np.random.default_rng(0)
    for label in ("a", "b"):
        for number in range(10):
            file = folder / label / f"{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draws.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(file)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One epoch on 16 of 20 pictures, two copies of the first of which came afterwards."""
    home = tmp_path_factory.mktemp("known")
    data = photos(home / "set")
    out = home / "run"
    trained = train("resnet20", str(data), epochs=1, batch_size=8, settings=TINY, out=out, quiet=True)
    for name in ("00-new.png", "01-new.png"):
        shutil.copy(data / "a" / "0.png", data / "a" / name)
    return trained


def data_of(run: Finished) -> Path:
    return Path(run.run.data.name)


def test_a_set_that_grew_is_scored_as_when_the_run_ended(run: Finished, cli: Cli) -> None:
    kept = json.loads((run.folder / rundir.EVALUATION).read_text())
    scored = json.loads(cli("evaluate", run.folder, "--json")[1])
    assert {name: scored[name] for name in kept} == kept
    assert (scored["images_trained_on"], scored["images_new"], scored["images_gone"]) == (0, 2, 0)
    assert "2 images are new" in cli("evaluate", run.folder)[1]


def test_the_set_at_another_place_is_scored_as_the_own_one(run: Finished, tmp_path: Path, cli: Cli) -> None:
    moved = shutil.copytree(data_of(run), tmp_path / "moved")
    for name in ("00-new.png", "01-new.png"):
        (moved / "a" / name).unlink()
    code, out, _ = cli("evaluate", run.folder, "--data", moved)
    assert code == 0
    assert "own set at another place: the 4 test images" in out
    scored = json.loads(cli("evaluate", run.folder, "--data", moved, "--json")[1])
    assert (scored["loss"], scored["own_set_moved"]) == (run.scores.loss, True)


def test_the_number_of_images_trained_on_stands_in_every_table(run: Finished, tmp_path: Path, cli: Cli) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for file in (data_of(run) / label).glob("?.png"):
            shutil.copy(file, tmp_path / label / f"copy-{file.name}")
    assert "trained on   16 of the 20 images" in cli("evaluate", run.folder, "--data", tmp_path)[1]
    assert json.loads(cli("evaluate", run.folder, "--data", tmp_path, "--json")[1])["images_trained_on"] == 16
    both = ["evaluate", run.folder, run.folder, "--ensemble", "--data", tmp_path]
    table = cli(*both)[1]
    assert "images trained on" in table
    assert [line.split()[-1] for line in table.splitlines() if "%" in line] == ["16", "16", "16"]
    document = json.loads(cli(*both, "--json")[1])
    assert [row["images_trained_on"] for row in (*document["rows"], document["ensemble"])] == [16, 16, 16]
    with pytest.warns(TrainedOnWarning, match="was trained on 16 of the 20 images"):
        resvision.evaluate(run.folder, tmp_path)


def test_an_older_run_is_evaluated_and_says_that_it_cannot_tell(run: Finished, tmp_path: Path, cli: Cli) -> None:
    older = shutil.copytree(run.folder, tmp_path / "older")
    (older / rundir.IMAGES).unlink()
    assert "trained on   not known" in cli("evaluate", older)[1]
    assert json.loads(cli("evaluate", older, "--json")[1])["images_trained_on"] is None
    assert "not known" in cli("evaluate", older, "--table")[1]


def test_the_page_shows_the_worst_images_of_a_set_that_grew(run: Finished) -> None:
    gallery = gallery_of(read_record(run.folder))
    assert gallery.reason == "" or "recognised" in gallery.reason


def test_what_a_run_knew_is_told_in_the_noun_of_its_samples() -> None:
    known = Overlap(trained=np.array([True, False, False]), validated=np.array([False, False, True]))

    assert overlap.lines(known, "window", listed=True) == [
        ("trained on", "1 of the 3 windows"),
        ("chosen by", "1 of the 3 windows"),
    ]
    assert overlap.lines(None, "window", listed=True) == [
        ("trained on", "not known, the run kept no list of its windows")
    ]
    assert overlap.heading("window") == "windows trained on"
