"""Designs of all studies: what differs is what their conditions say, and claims are about what there is."""

import re
from typing import Any

import pytest
import torch

from resvision import catalog
from resvision.core.settings import to_json
from resvision.studies.design import Design, Value
from resvision.studies.experiment import Asked, plan
from resvision.studies.table import STUDIES, design_of

DESIGNS = {name: design_of(reference) for name, reference in STUDIES.items()}

EQUAL_PARAMETERS = {
    *("degradation", "history", "shortcut-motion", "placement", "zero-init", "fully-connected", "overfitting", "cost"),
}
"""Studies whose nets have equal parameters in all conditions, at each depth, a number in the condition's name."""


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {path: tree}
    return {name: leaf for key, part in tree.items() for name, leaf in leaves(part, f"{path}.{key}".strip(".")).items()}


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("quick", [False, True])
def test_runs_of_one_seed_differ_in_their_conditions_alone(name: str, quick: bool) -> None:
    design = DESIGNS[name]
    trials = plan(design, Asked(design.data, 2, quick=quick))
    count = len(design.conditions)
    assert len({trial.name for trial in trials}) == 2 * count
    assert [trial.seed for trial in trials] == [0] * count + [1] * count
    firsts: dict[str, Any] = {}  # of each data set, since conditions of other data may be of another task
    for condition, trial in zip(design.conditions, trials, strict=False):
        first, reference = firsts.setdefault(trial.run.data.name, (leaves(to_json(trial.run)), condition))
        differing = {path for path, value in leaves(to_json(trial.run)).items() if first.get(path) != value}
        named = {path for c in (condition, reference) for path in (*c.settings, *(c.quick if quick else ()))}
        assert differing <= named | {"model.name"}


@pytest.mark.parametrize("name", sorted(EQUAL_PARAMETERS))
@pytest.mark.parametrize("quick", [False, True])
def test_nets_that_are_compared_have_equal_parameters(name: str, quick: bool) -> None:
    counts: dict[str, set[int]] = {}
    for trial in plan(DESIGNS[name], Asked(DESIGNS[name].data, 1, quick=quick)):
        classes = {} if DESIGNS[name].data == "traffic-simulated" else {"num_classes": 10}
        with torch.device("meta"):
            net = catalog.build(trial.run.model.name, **classes, **trial.run.model.options)
        number = re.search(r"\d+", trial.model)
        depth = number.group() if number else ""
        counts.setdefault(depth, set()).add(sum(parameter.numel() for parameter in net.parameters()))
    assert all(len(of_depth) == 1 for of_depth in counts.values())


@pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)
def test_claims_are_about_conditions_and_figures_of_the_study(design: Design) -> None:
    names, measures = {condition.name for condition in design.conditions}, {measure.name for measure in design.measures}
    for claim in design.claims:
        for value in (claim.smaller, claim.larger):
            if isinstance(value, Value):
                assert value.condition in names
                assert not value.above or value.above in names
                assert "." not in value.figure or value.figure.partition(".")[0] in measures


@pytest.mark.parametrize(("name", "design"), DESIGNS.items())
def test_a_design_says_what_it_asks_and_where_the_claim_comes_from(name: str, design: Design) -> None:
    assert design.name == name
    assert design.question.endswith("?")
    assert "https://" in design.paper
    assert all(plot.title for plot in design.plots)
