"""The list of studies: all of them, the expected time by the rate of this machine, and no torch."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from resvision.studies.degradation import degradation
from resvision.studies.detection_line import LINE
from resvision.studies.study_list import DETECTION_LINE, REFERENCE_RATE, listed, of_design, rate
from resvision.studies.table import STUDIES

Cli = Callable[..., tuple[int, str, str]]


def test_every_study_is_listed_with_its_members(cli: Cli) -> None:
    code, out, err = cli("study", "list", "--json")
    assert code == 0, err
    studies = {study["name"]: study for study in json.loads(out)["studies"]}
    assert studies.keys() == {*STUDIES, "detection-line"}
    assert all(study["members"] == len(study["conditions"]) * study["seeds"] for study in studies.values())
    assert all(study["question"].endswith("?") and "https://" in study["paper"] for study in studies.values())
    assert tuple(studies["detection-line"]["conditions"]) == LINE == DETECTION_LINE.conditions


def test_time_is_scaled_by_the_rate_of_this_machine() -> None:
    measured = of_design(replace(degradation(), minutes=(2.0, 20.0)))
    assert measured.expected_minutes(REFERENCE_RATE / 2, quick=True) == 4.0
    assert measured.expected_minutes(REFERENCE_RATE * 2, quick=False) == 10.0
    assert measured.to_json(REFERENCE_RATE)["minutes"] == {"quick": 2.0, "usual": 20.0}
    assert of_design(replace(degradation(), minutes=(2.0, None))).to_json(REFERENCE_RATE)["minutes"]["usual"] is None
    assert of_design(replace(degradation(), minutes=None)).expected_minutes(REFERENCE_RATE, quick=True) is None
    assert rate() > 1e8


def test_a_study_that_was_not_measured_says_so(cli: Cli) -> None:
    code, out, err = cli("study", "list")
    assert code == 0, err
    assert "not measured" in next(line for line in out.splitlines() if line.startswith(" detection-line"))
    assert [row.name for row in listed()] == [*STUDIES, "detection-line"]


def test_the_list_and_the_help_of_studies_reach_no_torch_no_other_verb_and_no_data() -> None:
    heavy = {"torch", "resvision.cli.train", "resvision.data.sets"}
    program = "import sys; from resvision.cli.main import run; run(sys.argv[1:]); "
    program += f"sys.exit(not {heavy}.isdisjoint(sys.modules))"
    for words in (["study", "list"], ["study", "grid", "--help"]):
        subprocess.run([sys.executable, "-c", program, *words], check=True, capture_output=True)


@pytest.mark.parametrize("depth", [21, 26, 200])
def test_a_depth_that_no_plain_net_has_is_refused_with_the_nearest(depth: int, cli: Cli) -> None:
    code, _, err = cli("study", "degradation", "--depths", f"20,{depth}")
    assert code == 2
    assert f"--depths {depth}: " in err
    assert f"the nearest is {110 if depth == 200 else 20}" in err


def test_no_seeds_are_refused(cli: Cli) -> None:
    code, _, err = cli("study", "degradation", "--seeds", "0")
    assert code == 2
    assert "--seeds" in err
