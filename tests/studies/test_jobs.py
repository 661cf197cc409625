"""Members beside each other: the same bits as one after another, and nothing half after a stop, a kill or a failure."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from resvision.core import rundir
from resvision.studies.degradation import degradation
from resvision.studies.design import Measure
from resvision.studies.experiment import Asked, conduct
from resvision.studies.results import Findings
from resvision.studies.subject import Subject

QUIET = Console(quiet=True)
TINY = ["model.options.width=2", "data.image_size=8", "machine.precision=fp32", "training.duration=2 steps"]


def count(subject: Subject) -> Findings:
    return Findings({"process": float(os.getpid())})


def fails(subject: Subject) -> Findings:
    raise ValueError("no such figure")


BASE = replace(degradation((20,)), claims=(), plots=())
MEASURED = replace(BASE, measures=(Measure(name="count", function=f"{__name__}:count"),))


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    conditions = [*BASE.conditions, replace(BASE.conditions[0], name="wild", settings={"optimizer.lr": 1e25})]
    conduct(replace(MEASURED, conditions=conditions), folder, Asked("digits", 1, settings=TINY, jobs=2), QUIET)
    return folder


def history_of(folder: Path, name: str) -> list[dict[str, float]]:
    lines = map(json.loads, (folder / name / rundir.HISTORY).read_text().splitlines())
    return [{key: value for key, value in line.items() if key in {"step", "loss", "error"}} for line in lines]


def test_members_beside_each_other_have_the_bits_of_one_after_another(beside: Path, tmp_path: Path) -> None:
    settings = [*TINY, "machine.threads=1"]  # which each process has of two
    conduct(replace(BASE, conditions=BASE.conditions[:1]), tmp_path, Asked("digits", 1, settings=settings), QUIET)
    assert history_of(beside, "plain20-seed0") == history_of(tmp_path, "plain20-seed0")


def test_a_member_that_diverges_does_not_stop_the_others(beside: Path) -> None:
    members = {member["condition"]: member for member in rundir.read_json(beside / "results.json")["members"]}
    assert "not finite" in members["wild"]["diverged"]
    assert all(members[name]["figures"]["tested"] >= 0 for name in ("plain20", "resnet20"))
    assert members["plain20"]["figures"]["count.process"] not in {
        os.getpid(),
        members["resnet20"]["figures"]["count.process"],
    }
