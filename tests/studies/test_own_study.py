"""The complete example of the documentation, and studies of a user's own that fail."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from resvision.core.errors import SettingsError
from resvision.studies.degradation import degradation
from resvision.studies.design import Claim, Design, Measure, Value
from resvision.studies.experiment import Asked, plan

DOCUMENT = Path(__file__).parents[2] / "docs" / "studies.md"
TINY = ["model.options.width=2", "data.image_size=8", "machine.precision=fp32", "training.duration=2 steps"]
DESIGN = degradation((20,))

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    (tmp_path / "my_study.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_of_the_documentation_is_carried_out(example: Path, cli: Cli) -> None:
    words = [*(f"--set={text}" for text in TINY), "--seeds", "1", "--out", example / "study"]
    code, out, err = cli("study", "my_study:study", *words)
    assert code == 0, err
    assert "a residual net is surer" in out
    assert ">Sureness<" in (example / "study/report.html").read_text()


def test_a_measure_that_fails_is_named_with_its_line(example: Path, cli: Cli) -> None:
    broken = (example / "my_study.py").read_text().replace("sum(largest)", "sum(nothing)")
    (example / "my_broken_study.py").write_text(broken.replace("my_study:", "my_broken_study:"))
    words = [*(f"--set={text}" for text in TINY), "--seeds", "1", "--out", example / "study"]
    code, _, err = cli("study", "my_broken_study:study", *words)
    assert code == 2
    assert "my_broken_study:sureness: NameError: name 'nothing' is not defined (my_broken_study.py, line" in err


FAULTS = [
    (replace(DESIGN, conditions=()), "has no conditions"),
    (replace(DESIGN, conditions=[*DESIGN.conditions, DESIGN.conditions[0]]), "two are the condition 'plain20'"),
    (replace(DESIGN, conditions=[replace(DESIGN.conditions[0], name="a/b")], claims=()), "name of a folder"),
    (replace(DESIGN, claims=[Claim("x", Value("plain21"), 1.0)]), "unknown condition 'plain21'"),
    (replace(DESIGN, claims=[Claim("x", Value("plain20", "exam.error"), 1.0)]), "unknown measure 'exam'"),
    (replace(DESIGN, claims=[Claim("x", Value("plain20", "testd"), 1.0)]), "unknown figure 'testd'"),
    (replace(DESIGN, measures=[Measure(name="..", function="a:b")]), "name of a folder"),
]


@pytest.mark.parametrize(("design", "said"), FAULTS, ids=[said for _, said in FAULTS])
def test_a_design_that_cannot_be_is_refused_before_its_trainings(design: Design, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        plan(design, Asked("digits", 1))


def test_a_study_that_is_none_is_named(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_failing_study.py").write_text("def study():\n    return 1 / 0\n")
    monkeypatch.chdir(tmp_path)
    code, _, err = cli("study", "my_failing_study:study", "--quick")
    assert code == 2
    assert "ZeroDivisionError: division by zero (my_failing_study.py, line 2)" in err
    code, _, err = cli("study", "nowhere:study")
    assert code == 2
    assert "no module named 'nowhere'" in err
