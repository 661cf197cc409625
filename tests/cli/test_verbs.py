import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import TINY

from resvision.launch import Finished

Cli = Callable[..., tuple[int, str, str]]
TINY_WORDS = [f"--set={path}={value}" for path, value in TINY.items()]


def photo(path: Path, seed: int, *, size: tuple[int, int] = (12, 10)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, size=(*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, count in (("train", 6), ("val", 3)):
        for label, name in enumerate(("cat", "dog")):
            for i in range(count):
                photo(tmp_path / "pets" / split / name / f"{i}.png", 100 * label + 10 * len(split) + i)
    return tmp_path / "pets"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "resnet2O", "--data", "digits"], "unknown model 'resnet2O'; nearest: resnet"),
        (["train", "resnet20", "--data", "digit"], "unknown data set 'digit'; nearest: digits; and no such folder"),
        (["train", "resnet20", "--data", "digits", "--recipe", "cifar2015"], "nearest: cifar-2015"),
        (["train", "cifar-2015", "--data", "digits"], "is a recipe"),
        (["train", "resnet20"], "which data?"),
        (["train"], "which model?"),
        (["train", "resnet20", "--data", "digits", "--set", "optimiser.lr=1"], "nearest: optimizer"),
        (["train", "resnet20", "--data", "digits", "--set", "optimizer.lr"], "write it as key=value"),
        (["train", "resnet20", "--data", "digits", "--lr", "-1"], "optimizer.lr"),
        (["train", "resnet20", "--data", "digits", "--precision", "fp8"], "machine.precision"),
        (["train", "resnet20", "--data", "digits", "--set", "model.options.shortcut=D"], "shortcut 'D'"),
        (["train", "resnet21", "--data", "digits"], "nearest"),
        (["train", "--resume", "nowhere"], "nowhere: no such run directory"),
        (["train", "resnet20", "--epochs", "0", "--data", "digits"], "epochs"),
        (["evaluate", "nowhere"], "nowhere: no such run directory"),
        (["evaluate", "resnet50"], "resnet50: is a model, not a run; say its weights, as --weights torchvision"),
        (["predict", "resnet50", "image.png"], "resnet50: is a model, not a run"),
        (["report", "resnet50"], "resnet50: is a model, not a run"),
        (["predict", "nowhere", "image.png"], "nowhere: no such run directory"),
        (["report", "nowhere"], "nowhere: no such run directory"),
        (["inspect", "resnet5O"], "nearest"),
        (["study", "degradation", "--depths", "20;56"], "--depths"),
        (["study", "degradation", "--depths", "20,20"], "each depth once"),
        (["study", "degradation", "--depths", "21"], "the nearest is 20"),
        (["study", "degradatoin"], "degradatoin"),
        (["trian"], "unknown verb 'trian'; nearest: train"),
        (["train", "--foo"], "--foo"),
    ],
)
def test_a_mistake_gets_one_line_and_exit_code_2(
    words: list[str], said: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = cli(*words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1, err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_photos_is_trained_evaluated_and_predicted(folder: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "run"
    sizes = ["--set=model.options.width=4", "--set=data.image_size=16", "--batch-size=4"]
    code, said, err = cli("train", "resnet18", "--data", folder, "--epochs", "1", "--out", out, *sizes)
    assert code == 0, err
    assert "in this order: cat, dog" in err
    assert said.startswith(f"{out}: top-1 error ")
    code, said, _ = cli("evaluate", out, "--json")
    scores = json.loads(said)
    assert code == 0
    assert scores["images"] == 6
    assert [row["class"] for row in scores["per_class"]] == ["cat", "dog"]
    code, said, _ = cli("predict", out, folder / "val", "--json")
    assert code == 0
    assert len(documents := [json.loads(line) for line in said.splitlines()]) == 6
    code, said, _ = cli("predict", out, folder / "val", "--json-list")
    assert (code, json.loads(said)) == (0, documents)
    code, said, _ = cli("report", out)
    assert (code, Path(said.strip().split()[-1]).is_file()) == (0, True)


def test_a_grey_net_is_trained_on_colour_when_that_is_asked_for(folder: Path, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "run"
    words = ["train", "resnet20", "--data", folder, "--epochs", "1", "--batch-size", "4", "--out", out, *TINY_WORDS]
    code, _, err = cli(*words, "--set", "data.channels=1")
    assert code == 0, err
    assert "1x16x16" in err
    assert cli("evaluate", out)[0] == 0
    code, _, err = cli("evaluate", out, "--data", folder)
    assert (code, "--grey" in err) == (2, True)
    assert cli("evaluate", out, "--data", folder, "--grey")[0] == 0


def test_a_labelled_folder_is_scored_whole(folder: Path, finished: Finished, tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "run"
    words = ["train", "resnet20", "--data", folder, "--epochs", "1", "--batch-size", "4", "--out", out, *TINY_WORDS]
    assert cli(*words)[0] == 0
    code, said, _ = cli("evaluate", out, "--data", folder / "train", "--json")
    assert (code, json.loads(said)["images"]) == (0, 12)


def test_predict_goes_on_past_a_bad_file_and_exits_with_1(finished: Finished, tmp_path: Path, cli: Cli) -> None:
    Image.fromarray(np.full((8, 8), 200, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no image at all")
    photo(tmp_path / "c.png", 0)
    code, out, err = cli("predict", finished.folder, tmp_path, "--csv", "--top", "2")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 1
    assert [row["source"] for row in rows] == [str(tmp_path / "a.png")] * 2
    assert "b.png" in err
    assert "c.png" in err
    assert "--grey" in err
    assert "2 of 3 images could not be used" in err
    code, out, _ = cli("predict", finished.folder, tmp_path / "c.png", "--grey")
    assert code == 0
    assert out.startswith(str(tmp_path / "c.png"))


def test_evaluate_prints_the_scores_of_training(finished: Finished, cli: Cli) -> None:
    code, out, _ = cli("evaluate", finished.folder)
    assert code == 0
    assert f"top-1 error  {finished.scores.top1_error:.2%}" in out
    _, as_json, _ = cli("evaluate", finished.folder, "--json")
    assert json.loads(as_json)["confusion"] == finished.scores.confusion.tolist()
    assert (json.loads(as_json)["arithmetic"], "precision" in json.loads(as_json)) == ("fp32", False)


def test_classes_that_a_run_does_not_know_are_refused(finished: Finished, folder: Path, cli: Cli) -> None:
    code, _, err = cli("evaluate", finished.folder, "--data", folder)
    assert code == 2
    assert "cat, dog" in err


def test_resume_with_other_settings_is_refused(finished: Finished, cli: Cli) -> None:
    before = {path: path.read_bytes() for path in finished.folder.rglob("*") if path.is_file()}
    words = ["train", "resnet20", "--data", "digits", "--epochs", "4", *TINY_WORDS, "--resume", finished.folder]
    code, _, err = cli(*words)
    assert code == 2
    assert "training.duration is '3 epochs', asked '4 epochs'" in err
    assert before == {path: path.read_bytes() for path in finished.folder.rglob("*") if path.is_file()}


def test_out_does_not_write_over_a_run(finished: Finished, cli: Cli) -> None:
    code, _, err = cli("train", "resnet20", "--data", "digits", "--out", finished.folder, *TINY_WORDS)
    assert code == 2
    assert "--resume" in err


def probe(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=True
    )
    return done.stdout


HEAVY = "sys.exit(bool({'torch', 'torchvision', 'sklearn', 'matplotlib', 'tensorboard'} & set(sys.modules)))"


@pytest.mark.parametrize("words", [["--help"], ["list"], ["data", "list"], ["train", "--help"], ["--version"]])
def test_help_and_listings_load_no_torch(words: list[str]) -> None:
    probe(f"import sys; from resvision.cli.main import run; assert run({words!r}) == 0; {HEAVY}")


def test_importing_the_package_loads_no_torch() -> None:
    probe(f"import sys, resvision; assert resvision.__version__; {HEAVY}")


def test_a_missing_extra_is_named() -> None:
    hide = "import sys; sys.modules['torch'] = None\nfrom resvision.cli.main import run\n"
    words = ["train", "resnet20", "--data", "digits"]
    code = f"{hide}sys.stderr = sys.stdout; print(run({words!r}))"
    said, number = probe(code).rsplit("\n", 2)[:2]
    assert "resvision[train]" in said
    assert number == "2"


def test_training_and_prediction_open_no_connection(tmp_path: Path) -> None:
    code = f"""
import socket
def refuse(*words, **more):
    raise AssertionError("a connection was opened")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
import resvision
run = resvision.train("plainmlp", "digits", epochs=1, out={str(tmp_path / "run")!r}, quiet=True)
import numpy
print(resvision.predict(run.folder, numpy.zeros((8, 8), numpy.uint8))[0].label in "0123456789")
"""
    assert probe(code, HOME=str(tmp_path)).strip() == "True"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
