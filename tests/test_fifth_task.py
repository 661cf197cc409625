"""A task from outside the package goes through every verb: `digit_angle.py`, the angle by which a digit is turned."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import digit_angle
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import resvision
from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.launch import Finished
from resvision.report.read import read_record

Cli = Callable[..., tuple[int, str, str]]

ASKED = ("resnet20", "--data", "digit_angle:turned", "--recipe", "digit_angle:short")


@pytest.fixture(scope="module")
def angles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the task, by Python."""
    out = tmp_path_factory.mktemp("angles") / "run"
    model, _, data, _, recipe = ASKED
    finished: Finished = resvision.train(model, data, recipe=recipe, out=out, quiet=True)
    assert isinstance(finished.scores, digit_angle.AngleScores)
    return out


def weights(folder: Path) -> dict[str, np.ndarray]:
    place = folder / rundir.CHECKPOINTS / (folder / rundir.CHECKPOINTS / rundir.LAST).read_text().strip()
    return load_file(place / rundir.WEIGHTS)


def test_train_says_the_metric_and_the_figures_of_the_task(tmp_path: Path, cli: Cli) -> None:
    code, out, err = cli("train", *ASKED, "--out", tmp_path / "run")
    assert code == 0, err
    assert "degrees off on 60 test images" in out
    assert re.search(r"train off deg [\d.]+ deg  test loss [\d.]+  test error deg [\d.]+ deg", err)
    assert "classes" not in err
    run = json.loads((tmp_path / "run" / rundir.RUN).read_text())
    assert (run["model"]["task"], run["model"]["num_classes"], run["data"]["classes"]) == ("digit_angle:TASK", 1, [])


def test_a_stopped_run_goes_on_bit_for_bit(
    tmp_path: Path, cli: Cli, angles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(digit_angle.STOP_AT, "7")
    assert cli("train", *ASKED, "--out", tmp_path / "run")[0] == 143
    monkeypatch.delenv(digit_angle.STOP_AT)
    code, _, err = cli("train", "--resume", tmp_path / "run")
    assert code == 2
    assert "would import digit_angle:TASK and digit_angle:turned" in err
    assert cli("train", "--resume", tmp_path / "run", "--allow-code")[0] == 0
    straight, resumed = weights(angles), weights(tmp_path / "run")
    assert straight.keys() == resumed.keys()
    assert all(np.array_equal(straight[name], resumed[name]) for name in straight)


def test_evaluate_gives_the_scores_that_training_gave(angles: Path, cli: Cli) -> None:
    kept = json.loads((angles / rundir.EVALUATION).read_text())
    code, out, err = cli("evaluate", angles, "--allow-code", "--json")
    assert code == 0, err
    assert json.loads(out).items() >= kept.items()
    assert f"{kept['error_deg']:.1f} deg" in cli("evaluate", angles, "--allow-code")[1]
    assert "measured error, deg" in cli("evaluate", angles, angles, "--allow-code")[1]
    with pytest.raises(RunError, match="--allow-code"):
        resvision.load(angles)


def test_predict_prints_a_line_json_and_csv(angles: Path, tmp_path: Path, cli: Cli) -> None:
    image = digit_angle.TurnedDigits("test")[3].image
    Image.fromarray(image).save(tmp_path / "a.png")
    code, out, err = cli("predict", angles, tmp_path / "a.png", "--allow-code")
    assert code == 0, err
    (result,) = resvision.predict(resvision.load(angles, allow_code=True), image)
    assert f"turned by {result.deg:.1f} deg" in out
    document = json.loads(cli("predict", angles, tmp_path / "a.png", "--allow-code", "--json")[1])
    assert document["deg"] == pytest.approx(result.deg, abs=1e-3)
    assert cli("predict", angles, tmp_path / "a.png", "--allow-code", "--csv")[1].splitlines()[0] == "source,deg"
    assert "an angle is one number" in cli("predict", angles, tmp_path / "a.png", "--allow-code", "--top", "3")[2]
    code, _, err = cli("predict", angles, tmp_path / "a.png", "--allow-code", "--out", tmp_path / "maps")
    assert code == 2
    assert "--out: runs of angles have no use for it" in err
    assert not (tmp_path / "maps").exists()


def test_two_runs_are_compared_in_the_unit_of_the_task(angles: Path, cli: Cli) -> None:
    code, out, err = cli("evaluate", angles, angles, "--allow-code")
    assert code == 0, err
    assert "measured error, deg" in out
    assert out.count(f"{json.loads((angles / 'evaluation.json').read_text())['error_deg']:.1f} deg") == 2
    assert "%" not in out
    assert "--scales: runs of angles have no use for it" in cli("evaluate", angles, "--allow-code", "--scales", "9")[2]


def test_report_draws_the_curves_of_the_task(angles: Path, tmp_path: Path, cli: Cli) -> None:
    code, _, err = cli("report", angles, "--out", tmp_path / "page.html")
    assert code == 2
    assert "--allow-code" in err
    code, _, err = cli("report", angles, "--out", tmp_path / "page.html", "--allow-code")
    assert code == 0, err
    page = (tmp_path / "page.html").read_text()
    error = read_record(angles, allow_code=True).scores.error_deg
    assert f"is {error:.1f} deg off on 60 test images" in page
    assert "angular error" in page
    assert "error, deg" in page


def test_a_study_compares_plain_and_residual_nets_by_the_figure_of_the_task(tmp_path: Path, cli: Cli) -> None:
    code, out, err = cli(
        *("study", "degradation", "--data", "digit_angle:turned", "--recipe", "digit_angle:short"),
        *("--depths", "20", "--seeds", "1", "--out", tmp_path / "study", "--set", "training.duration=1 epochs"),
    )
    assert code == 0, err
    assert "resnet20" in out
    assert (tmp_path / "study" / rundir.REPORT).is_file()


def test_data_check_looks_at_every_image(cli: Cli) -> None:
    code, out, err = cli("data", "check", "digit_angle:turned")
    assert code == 0, err
    assert "260 images, 260 fine, 0 faults" in out


def test_data_of_another_task_are_refused_before_anything_is_written(tmp_path: Path, cli: Cli) -> None:
    out = tmp_path / "r"
    code, _, err = cli("train", "resnet20", "--data", "digits", "--recipe", "digit_angle:short", "--out", out)
    assert code == 2
    assert "digits: a data set for classification, not for digit_angle:TASK" in err
    code, _, err = cli("train", "resnet20", "--data", "digit_angle:turned", "--out", out)
    assert code == 2
    assert "the target of digit_angle:turned/train[0] is a float where the index of a class is due" in err
    assert not out.exists()
