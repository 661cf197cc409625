"""The page of a study of conditions, and its table for a terminal."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from resvision.report.html import render, write_page
from resvision.report.page import linked_page
from resvision.report.plots import curves_svg
from resvision.report.short_paths import without_places
from resvision.report.svg import colours, inline
from resvision.report.tables import duration, figure, main_figure
from resvision.studies.conditions import ConditionStudy, values
from resvision.studies.page import ABOUT, spread, verdict_rows
from resvision.studies.trials import Outcome

SAME = "All runs share data and recipe; the conditions and the seed are all that differs."
LEAST = ("time a run", "seeds")
"""The columns that a narrow terminal leaves out first."""


def header(study: ConditionStudy) -> tuple[str, ...]:
    """The headings of the table, by the figures that the task compares."""
    return "condition", "seeds", "training loss", *compared(study).values(), "time a run"


def compared(study: ConditionStudy) -> dict[str, str]:
    """The figures that the task compares, with their headings, as far as all runs have them."""
    figures = [outcome.record.scores.figures() for outcome in _all(study) if outcome.record.scores is not None]
    return {name: heading for name, heading in study.kind.compared.items() if all(name in one for one in figures)}


def table(study: ConditionStudy) -> list[tuple[str, ...]]:
    """Rows under `header`: means over the seeds, with the standard deviation from two seeds on."""
    return [_cells(name, outcomes, study) for name, outcomes in study.outcomes.items()]


def what_to_see(study: ConditionStudy) -> str:
    """The best and the worst condition in a sentence."""
    means = {name: float(np.mean(values(outcomes, "tested"))) for name, outcomes in study.outcomes.items()}
    best, *_, worst = sorted(means, key=lambda name: means[name], reverse=study.kind.higher_is_better)
    written = [main_figure(study.kind, means[name]) for name in (best, worst)]
    return (
        f"{study.design.lead} The test {study.kind.main_name} is {written[0]} under {best}, and {written[1]} under"
        f" {worst}."
    )


def write_conditions(study: ConditionStudy, path: Path) -> Path:
    """Write the study as one self-contained page; the path."""
    outcomes = _all(study)
    records, names = [outcome.record for outcome in outcomes], [outcome.trial.model for outcome in outcomes]
    html = render(
        "study.html.j2",
        title=f"{study.design.title}, on {study.data}",
        lead=what_to_see(study),
        header=header(study),
        rows=table(study),
        runs=[
            (record.name, linked_page(record.folder, path), main_figure(study.kind, outcome.tested))
            for record, outcome in zip(records, outcomes, strict=True)
        ],
        main=f"test {study.kind.main_name}",
        without=without_places(records),
        shades=colours(names),
        about=ABOUT,
        same=SAME,
        verdicts=verdict_rows(study.verdicts),
        settings=json.dumps(records[0].run, indent=2, ensure_ascii=False),
        curves=[
            inline(curves_svg(records, name=f"curve-{number}", curve=curve, labels=names))
            for number, curve in enumerate(study.kind.curves)
        ],
    )
    return write_page(path, html)


def _all(study: ConditionStudy) -> list[Outcome]:
    return [outcome for outcomes in study.outcomes.values() for outcome in outcomes]


def _cells(name: str, outcomes: Sequence[Outcome], study: ConditionStudy) -> tuple[str, ...]:
    figures = [outcome.record.scores.figures() for outcome in outcomes if outcome.record.scores is not None]
    shown = (
        spread([one[figure_name] for one in figures], partial(study.kind.write, figure_name))
        for figure_name in compared(study)
    )
    seconds = float(np.mean([outcome.seconds for outcome in outcomes]))
    loss = spread(values(outcomes, "loss").tolist(), figure)
    return name, str(len(outcomes)), loss, *shown, duration(seconds)
