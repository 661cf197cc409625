"""Trainings that differ in stated conditions and in nothing else, held against claims by pairs of equal seeds.

A study brings its conditions, each a model with settings, and its claims: a figure is lower under one condition than
under another, or falls by more from one to the next. `quick` is each study's own: small nets for a page without a
result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from resvision.core.data_names import short_name
from resvision.kinds.kind import Kind
from resvision.recipes import compose
from resvision.studies.trials import Outcome, Trial, carry_out
from resvision.studies.verdicts import Verdict, judge

Figure = Literal["loss", "tested"]
"""The mean training loss of the last epoch, or the main figure of the task on the test images."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One of the conditions: a name that a folder may have, and what a run under it has of its own.

    quick  settings that `--quick` puts over the others
    """

    name: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)


class Claim(NamedTuple):
    """A claim: the figure of `smaller` is below that of `larger`, where lower is better.

    smaller, larger  a condition, or two: then the figure of the first minus that of the second
    """

    text: str
    smaller: tuple[str, ...]
    larger: tuple[str, ...]
    figure: Figure = "tested"


@dataclass(frozen=True, kw_only=True)
class Design:
    """A study before it is carried out.

    title, lead  of its page
    common       settings of all conditions, and `quick` those that `--quick` puts over them
    """

    title: str
    lead: str
    conditions: Sequence[Condition]
    claims: Sequence[Claim]
    common: Mapping[str, Any]
    quick: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ConditionStudy:
    """A finished study: the outcomes under each condition, in the order of seeds, and a verdict on each claim."""

    design: Design
    data: str
    kind: Kind[Any, Any, Any]
    outcomes: Mapping[str, Sequence[Outcome]]
    verdicts: Sequence[Verdict]


def plan(
    design: Design,
    data: str,
    seeds: int,
    *,
    epochs: int | None = None,
    recipe: str | None = None,
    quick: bool = False,
    settings: Sequence[str] = (),
) -> list[Trial]:
    """The trials: every condition under seeds 0, 1, ...; `epochs` and `settings` have the last word."""
    length = {} if epochs is None else {"training.duration": f"{epochs} epochs"}
    return [
        Trial(
            model=condition.name,
            seed=seed,
            run=compose(
                condition.model,
                data,
                recipe_name=recipe,
                changes=_changes(design, condition, quick=quick) | length | {"training.seed": seed},
                settings=settings,
            ),
        )
        for seed in range(seeds)
        for condition in design.conditions
    ]


def _changes(design: Design, condition: Condition, *, quick: bool) -> dict[str, Any]:
    """The settings of a condition: its own stand over those of all."""
    usual = {**design.common, **condition.settings}
    return {**design.common, **design.quick, **condition.settings, **condition.quick} if quick else usual


def study_conditions(design: Design, folder: Path, trials: Sequence[Trial], console: Console) -> ConditionStudy:
    """Carry out the trials of a plan in `folder`, going on with those begun, and hold the claims against them."""
    outcomes = carry_out(folder, trials, console)
    by_condition = {
        condition.name: [outcome for outcome in outcomes if outcome.trial.model == condition.name]
        for condition in design.conditions
    }
    kind = outcomes[0].record.kind
    return ConditionStudy(
        design=design,
        data=short_name(trials[0].run.data.name),
        kind=kind,
        outcomes=by_condition,
        verdicts=[verdict_of(claim, by_condition) for claim in design.claims],
    )


def values(outcomes: Sequence[Outcome], figure: Figure) -> NDArray[np.float64]:
    """The figure of each outcome, (S,)."""
    return np.array([outcome.trained("loss") if figure == "loss" else outcome.tested for outcome in outcomes])


def verdict_of(claim: Claim, outcomes: Mapping[str, Sequence[Outcome]]) -> Verdict:
    """The verdict on a claim, from the outcomes under each condition in the order of seeds."""
    return judge(claim.text, smaller=_side(claim.smaller, claim, outcomes), larger=_side(claim.larger, claim, outcomes))


def _side(names: tuple[str, ...], claim: Claim, outcomes: Mapping[str, Sequence[Outcome]]) -> Sequence[float]:
    first, *second = (values(outcomes[name], claim.figure) for name in names)
    side: list[float] = (first - second[0] if second else first).tolist()
    return side
