"""Findings are kept: they are read as they were measured, and a joint measure follows the members of its study."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from resvision.core.errors import RunError, SettingsError
from resvision.studies.design import Measure
from resvision.studies.results import Findings
from resvision.studies.subject import PROBES, measured

QUIET = Console(quiet=True)
CALLS: list[int] = []


def unknown(subject: Any, height: float = 2.0) -> Findings:
    return Findings({"none": float("nan"), "height": height}, {"row": [1, float("nan"), float("inf")]})


def shares(subjects: Sequence[Any], whole: float = 1.0) -> list[Findings]:
    CALLS.append(len(subjects))
    return [Findings({"share": whole / len(subjects)}) for _ in subjects]


ALONE = Measure(name="unknown", function=f"{__name__}:unknown")
TOGETHER = Measure(name="shares", function=f"{__name__}:shares", joint=True)


def subjects_in(folder: Path, seeds: int) -> list[Any]:
    """The parts of Subjects that keeping asks for, of trainings that never were."""
    subjects = [
        SimpleNamespace(condition="a", seed=seed, quick=False, folder=folder / f"{seed}") for seed in range(seeds)
    ]
    for subject in subjects:
        subject.folder.mkdir(exist_ok=True)
    return subjects


def test_findings_have_one_form_fresh_and_from_disk(tmp_path: Path) -> None:
    fresh, kept = (measured(ALONE, subjects_in(tmp_path, 1), tmp_path, QUIET)[0] for _ in range(2))
    for findings in (fresh, kept):
        assert np.isnan(findings.figures["none"])
        np.testing.assert_array_equal(findings.series["row"], [1, np.nan, np.nan])
    assert fresh.figures["height"] == kept.figures["height"] == 2


def test_a_joint_measure_is_taken_again_of_all_when_members_are_added(tmp_path: Path) -> None:
    CALLS.clear()
    measured(TOGETHER, subjects_in(tmp_path, 2), tmp_path, QUIET)
    with StringIO() as said:
        findings = measured(TOGETHER, subjects_in(tmp_path, 4), tmp_path, Console(file=said, width=200))
        assert "of all 4 again" in said.getvalue()
    assert [each.figures["share"] for each in findings] == [0.25] * 4
    assert measured(TOGETHER, subjects_in(tmp_path, 4), tmp_path, QUIET) == findings
    assert CALLS == [2, 4]


@pytest.mark.parametrize("measure", [ALONE, TOGETHER])
def test_other_options_of_a_measure_are_refused(measure: Measure, tmp_path: Path) -> None:
    subjects = subjects_in(tmp_path, 2)
    measured(measure, subjects, tmp_path, QUIET)
    other = replace(measure, options={"whole" if measure.joint else "height": 3.0})
    for members in (subjects, subjects_in(tmp_path, 3)):
        with pytest.raises(SettingsError, match="other options"):
            measured(other, members, tmp_path, QUIET)


def test_a_file_without_findings_is_refused(tmp_path: Path) -> None:
    (tmp_path / PROBES).mkdir()
    (tmp_path / PROBES / "shares.json").write_text("{}")
    with pytest.raises(RunError, match="holds no findings"):
        measured(TOGETHER, subjects_in(tmp_path, 1), tmp_path, QUIET)


def nothing(subject: Any) -> None:
    """A measure that forgot to return."""


def too_few(subjects: Sequence[Any]) -> list[Findings]:
    return [Findings({"share": 1.0}) for _ in subjects[1:]]


def for_all(subjects: Sequence[Any]) -> Findings:
    return Findings({"share": 1.0})


@pytest.mark.parametrize(
    ("function", "joint", "said"),
    [
        (nothing, False, "gave NoneType, where Findings of 1 member are expected"),
        (too_few, True, "gave 1 finding, where Findings of 2 members are expected"),
        (for_all, True, "gave 1 finding, where Findings of 2 members are expected"),
    ],
)
def test_a_measure_that_gives_no_findings_is_refused(
    function: Callable[..., Any], joint: bool, said: str, tmp_path: Path
) -> None:
    measure = Measure(name="mine", function=f"{__name__}:{function.__name__}", joint=joint)
    with pytest.raises(SettingsError, match=said):
        measured(measure, subjects_in(tmp_path, 2), tmp_path, QUIET)
    assert not [*tmp_path.rglob("*.json")]
