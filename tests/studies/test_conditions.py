"""Studies of conditions: what differs is what they say, and claims are held against pairs of equal seeds."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resvision import catalog
from resvision.core import rundir
from resvision.core.settings import to_json
from resvision.studies import history, shortcut_motion
from resvision.studies.conditions import Claim, Design, plan, verdict_of

DESIGNS = {"history": history.DESIGN, "shortcut-motion": shortcut_motion.DESIGN}


@dataclass
class Measured:
    """An outcome as far as a verdict asks."""

    tested: float
    loss: float = 0.0

    def trained(self, metric: str) -> float:
        return self.loss


def measured(values: Sequence[float]) -> list[Any]:
    return [Measured(value, -value) for value in values]


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {path: tree}
    return {name: leaf for key, part in tree.items() for name, leaf in leaves(part, f"{path}.{key}".strip(".")).items()}


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("quick", [False, True])
def test_runs_of_one_seed_differ_in_their_condition_alone(name: str, quick: bool) -> None:
    trials = plan(DESIGNS[name], "traffic-simulated", 2, quick=quick)
    assert len({trial.name for trial in trials}) == 8
    first = leaves(to_json(trials[0].run))
    differing = {
        path for trial in trials[:4] for path, value in leaves(to_json(trial.run)).items() if first.get(path) != value
    }
    own = {"history": "model.options.told", "shortcut-motion": "model.options.backbone"}
    assert differing == {"data.drawn_seconds", own[name]}
    assert [trial.seed for trial in trials] == [0] * 4 + [1] * 4


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("quick", [False, True])
def test_nets_of_all_conditions_have_equal_parameters(name: str, quick: bool) -> None:
    counts = set()
    for trial in plan(DESIGNS[name], "traffic-simulated", 1, quick=quick):
        with torch.device("meta"):
            net = catalog.build(trial.run.model.name, **trial.run.model.options)
        counts.add(sum(parameter.numel() for parameter in net.parameters()))
    assert len(counts) == 1


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_claims_are_about_conditions_of_the_study(design: Design) -> None:
    names = {condition.name for condition in design.conditions}
    assert {name for claim in design.claims for name in (*claim.smaller, *claim.larger)} == names


def test_a_claim_about_gains_compares_differences_seed_by_seed() -> None:
    figures = {"a": [5.0, 6.0, 7.0], "b": [4.0, 5.1, 5.9], "c": [5.0, 6.0, 7.0], "d": [2.0, 3.1, 3.9]}
    outcomes = {name: measured(values) for name, values in figures.items()}
    verdict = verdict_of(Claim("d gains more over c than b over a", ("a", "b"), ("c", "d")), outcomes)
    gains = [(c - d) - (a - b) for a, b, c, d in zip(*figures.values(), strict=True)]
    assert verdict.mean == pytest.approx(np.mean(gains))
    assert verdict.word == "supported"
    assert verdict_of(Claim("the other way", ("c", "d"), ("a", "b")), outcomes).word == "contradicted"
    assert verdict_of(Claim("loss", ("a",), ("d",), "loss"), outcomes).mean == pytest.approx(3.0)


def tracks(folder: Path) -> Path:
    """Four recordings of two cars each."""
    for road in range(4):
        draws, rows = np.random.default_rng(road), ["track,timestamp,x,y,heading,length,width"]
        for car in range(2):
            speed, heading = draws.uniform(4, 14), draws.uniform(-3, 3)
            start = draws.uniform(-50, 50, 2)
            for frame in range(30):
                x, y = start + 0.25 * frame * speed * np.array([np.cos(heading), np.sin(heading)])
                rows.append(f"r{road}c{car},{0.25 * frame:.2f},{x:.4f},{y:.4f},{heading:.5f},4.5,1.8")
        (folder / f"road{road}.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_a_quick_study_prints_and_writes_its_verdicts(tmp_path: Path, cli: Callable[..., tuple[int, str, str]]) -> None:
    (tmp_path / "tracks").mkdir()
    words = ("--set", "training.batch_size=4", "--set", "machine.threads=1", "--set", "machine.workers=0")
    code, out, err = cli(
        *("study", "shortcut-motion", "--quick", "--seeds", "1", "--data", tracks(tmp_path / "tracks")),
        *("--set", "machine.precision=fp32", "--out", tmp_path / "study", *words),
    )
    assert code == 0, err
    for condition in shortcut_motion.DESIGN.conditions:
        assert condition.name in out
        assert (tmp_path / "study" / f"{condition.name}-seed0" / rundir.EVALUATION).is_file()
    assert out.count("three are needed") == len(shortcut_motion.DESIGN.claims)
    assert "FDE of constant velocity" in out
    page = (tmp_path / "study" / rundir.REPORT).read_text()
    assert page.count("undecided") >= len(shortcut_motion.DESIGN.claims)
    assert len(re.findall(r'<a href="([^"]+)">', page)) == 4
