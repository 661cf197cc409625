"""A cross-validation as a table for the terminal and as one page."""

import json
from functools import partial
from pathlib import Path

from resvision.core.plurals import counted
from resvision.report.class_tables import class_values
from resvision.report.html import render, write_page
from resvision.report.page import linked_page
from resvision.report.plots import curves_svg
from resvision.report.svg import colours, inline
from resvision.report.tables import data_of, duration
from resvision.studies.cross_validation import CrossValidation, Spread
from resvision.studies.spreads import mean_and_spread

ABOUT = (
    "Every image is tested once, by the run that was not trained on it. Mean ± standard deviation are over the folds:"
    " the deviation is that of one run, not of the mean. Pooled figures are those of all images together."
)


def header(study: CrossValidation) -> tuple[str, ...]:
    """The headings of the table: figures by their names."""
    return "fold", "test images", *(study.kind.noun(name) for name in _figures(study)), "time"


def rows(study: CrossValidation) -> list[tuple[str, ...]]:
    """A row for each fold, one of mean and deviation, and one of the pooled scores where there are any."""
    figures, write = _figures(study), study.kind.write
    table = [
        (
            outcome.trial.name,
            f"{outcome.record.scores.images:,}",
            *(write(name, spread.values[number]) for name, spread in figures.items()),
            duration(outcome.seconds),
        )
        for number, outcome in enumerate(study.outcomes)
    ]
    seconds = sum(outcome.seconds for outcome in study.outcomes)
    table.append(("mean ± deviation", "", *(_mean(study, name) for name in figures), duration(seconds)))
    if study.pooled is not None:
        pooled = study.pooled.figures()
        table.append(("pooled", f"{study.pooled.images:,}", *(write(name, pooled[name]) for name in figures), ""))
    return table


def sentence(study: CrossValidation) -> str:
    """The main figure over the folds, in a sentence."""
    kind, first = study.kind, study.outcomes[0]
    spread = study.figures[kind.main]
    low, high = (kind.write(kind.main, value) for value in (min(spread.values), max(spread.values)))
    return (
        f"{first.trial.model} on {data_of(first.record)[0]}: {kind.noun(kind.main)} {_mean(study, kind.main)} over"
        f" {counted(len(study.outcomes), 'fold')}, from {low} to {high}."
    )


def write_folds(study: CrossValidation, path: Path) -> Path:
    """Write the cross-validation as one page, which links that of each fold; the path."""
    records, names = [outcome.record for outcome in study.outcomes], [outcome.trial.name for outcome in study.outcomes]
    html = render(
        "folds.html.j2",
        title=f"{study.outcomes[0].trial.model} on {data_of(records[0])[0]} in {counted(len(records), 'fold')}",
        lead=sentence(study),
        header=header(study),
        rows=rows(study),
        shades=colours(names),
        pages={name: linked_page(record.folder, path) for name, record in zip(names, records, strict=True)},
        about=ABOUT,
        rule=str(records[0].setting("data.split_rule")),
        **class_values(study.kind, study.pooled, name="confusion", data=str(records[0].setting("data.name"))),
        curves=[
            inline(curves_svg(records, name=f"curve{number}", curve=curve, labels=names))
            for number, curve in enumerate(study.kind.curves, start=1)
        ],
        settings=json.dumps(records[0].run, indent=2, ensure_ascii=False),
    )
    return write_page(path, html)


def _figures(study: CrossValidation) -> dict[str, Spread]:
    classes = len(study.outcomes[0].record.scores.classes)
    figures = study.kind.telling(study.figures, classes)
    return dict(sorted(figures.items(), key=lambda item: item[0] != study.kind.main))


def _mean(study: CrossValidation, name: str) -> str:
    return mean_and_spread(study.figures[name].values, partial(study.kind.write, name))
