"""Bad input of studies: one clear line before anything is trained, and nothing lost."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from resvision.core import rundir
from resvision.core.errors import ResVisionError, RunError, SettingsError
from resvision.studies.degradation import degradation
from resvision.studies.design import Claim, Condition, Value
from resvision.studies.experiment import Asked, conduct, plan
from resvision.studies.results import RESULTS, Results, write_results

QUIET = Console(quiet=True)
TINY = ["model.options.width=2", "data.image_size=8", "training.duration=2 steps", "machine.precision=fp32"]
DESIGN = degradation((20,))

Cli = Callable[..., tuple[int, str, str]]


def test_data_of_one_class_are_refused(tmp_path: Path, cli: Cli) -> None:
    for split in ("train", "test"):
        (tmp_path / "photos" / split / "only").mkdir(parents=True)
        for number in range(4):
            Image.new("L", (8, 8), 60 * number).save(tmp_path / "photos" / split / "only" / f"{number}.png")
    code, _, err = cli("study", "degradation", "--data", tmp_path / "photos", "--depths", "20", "--out", tmp_path / "s")
    assert code == 2
    assert "class" in err
    assert len(err.strip().splitlines()[-1:]) == 1
    assert not (tmp_path / "s").exists()


def test_the_folder_of_another_study_or_of_a_run_is_left_alone(tmp_path: Path) -> None:
    other = Results(
        format=1, study="lesion", data="digits", task="classification", quick=False, date="", machine="", settings={},
        members=(),
    )  # fmt: skip
    write_results(other, tmp_path / RESULTS)
    with pytest.raises(RunError, match=r"holds the study lesion; name another --out"):
        conduct(DESIGN, tmp_path, Asked("digits", 1, settings=TINY), QUIET)
    (tmp_path / RESULTS).unlink()
    (tmp_path / rundir.RUN).write_text("{}")
    with pytest.raises(RunError, match="holds a run"):
        conduct(DESIGN, tmp_path, Asked("digits", 1, settings=TINY), QUIET)
    assert [path.name for path in tmp_path.iterdir()] == [rundir.RUN]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    with pytest.raises(RunError, match="cannot be written"):
        conduct(DESIGN, tmp_path / "letter.txt" / "study", Asked("digits", 1, settings=TINY), QUIET)


def test_a_condition_that_cannot_be_trained_is_named_before_the_others_are(tmp_path: Path) -> None:
    wrong = replace(DESIGN.conditions[1], settings={"model.options.shortcut": "Z"})
    design = replace(DESIGN, conditions=[DESIGN.conditions[0], wrong])
    with pytest.raises(SettingsError, match=r"resnet20: .*shortcut"):
        conduct(design, tmp_path, Asked("digits", 1, settings=TINY), QUIET)
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked("digits", 0), "--seeds 0"),
        (Asked("nowhere", 1), "nowhere"),
        (Asked("digits", 1, settings=["optimizer.rate=1"]), "optimizer.rate"),
        (Asked("digits", 1, recipe="cifar-2014"), "cifar-2014"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(asked: Asked, said: str, tmp_path: Path) -> None:
    with pytest.raises(ResVisionError, match=said):
        conduct(DESIGN, tmp_path / "study", asked, QUIET)
    assert not (tmp_path / "study").exists()


def test_a_study_of_several_data_sets_takes_no_other(cli: Cli) -> None:
    code, _, err = cli("study", "transfer", "--data", "digits", "--quick")
    assert code == 2
    assert "have data of their own" in err


@pytest.mark.parametrize(("model", "data", "known"), [("mtp", "traffic-simulated", True), ("retinanet", "bccd", False)])
def test_a_claim_about_the_metric_of_training_needs_a_task_that_has_one(model: str, data: str, known: bool) -> None:
    conditions = [Condition(name=name, model=model) for name in ("one", "other")]
    claim = Claim("one is lower in training", Value("one", "trained"), Value("other", "trained"))
    design = replace(DESIGN, conditions=conditions, claims=(claim,), common={})
    if known:
        assert len(plan(design, Asked(data, 1))) == 2
        return
    with pytest.raises(SettingsError, match=r"unknown figure 'trained'"):
        plan(design, Asked(data, 1))
