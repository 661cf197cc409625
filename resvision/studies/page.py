"""The page of a study, and its table for a terminal."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from resvision.report.html import render, write_page
from resvision.report.plots import curves_svg
from resvision.report.svg import colours
from resvision.report.tables import duration, figure, percent
from resvision.studies.degradation import Degradation, Row, what_to_see
from resvision.studies.verdicts import Verdict

CURVES = ("loss", "error")
"""Curves of the runs' kind, by name, in the order of the page."""

ABOUT = (
    "Training loss and error are means over the last epoch, on augmented images while the weights change. With two"
    " seeds or more a figure is the mean over them ± the standard deviation of one run."
)
HEADER = ("net", "seeds", "training loss", "training error", "test error", "time a run")


def table(study: Degradation) -> list[tuple[str, ...]]:
    """Rows under HEADER: means over the seeds, with the standard deviation from two seeds on."""
    return [_cells(row) for row in study.rows]


def verdict_rows(verdicts: Sequence[Verdict]) -> list[tuple[str, str, str]]:
    """(claim, word, by how much) of each verdict."""
    return [(verdict.claim, verdict.word, _amount(verdict)) for verdict in verdicts]


def write_study(study: Degradation, path: Path) -> Path:
    """Write the study as one self-contained page; the path."""
    records = [outcome.record for outcome in study.outcomes]
    models = [outcome.trial.model for outcome in study.outcomes]
    curves = {curve.name: curve for curve in records[0].kind.curves}
    html = render(
        "study.html.j2",
        title=f"Degradation: plain against residual nets on {study.data}",
        lead=what_to_see(study),
        header=HEADER,
        rows=table(study),
        shades=colours(models),
        about=ABOUT,
        verdicts=verdict_rows(study.verdicts),
        settings=json.dumps(records[0].run, indent=2, ensure_ascii=False),
        curves=[
            Markup(curves_svg(records, name=f"curve-{name}", curve=curves[name], labels=models)) for name in CURVES
        ],
    )
    return write_page(path, html)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.model,
        str(len(row.train_loss)),
        _spread(row.train_loss, figure),
        _spread(row.train_error, percent),
        _spread(row.test_error, percent),
        duration(float(np.mean(row.seconds))),
    )


def _spread(values: Sequence[float], write: Callable[[float], str]) -> str:
    mean = write(float(np.mean(values)))
    return f"{mean} ± {write(float(np.std(values, ddof=1)))}" if len(values) > 1 else mean


def _amount(verdict: Verdict) -> str:
    if math.isnan(verdict.standard_error):
        seeds = "one seed" if verdict.pairs == 1 else f"{verdict.pairs} seeds"
        return f"{verdict.mean:+.4g} with {seeds}; three are needed"
    return f"{verdict.mean:+.4g} ± {verdict.standard_error:.2g} over {verdict.pairs} seeds"
