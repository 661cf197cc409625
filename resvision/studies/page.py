"""The page of a study, and its table for a terminal."""

import json
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from resvision.core.plurals import counted
from resvision.kinds.kind import Kind
from resvision.report.html import render, write_page
from resvision.report.page import linked_page
from resvision.report.plots import curves_svg
from resvision.report.short_paths import without_places
from resvision.report.svg import colours, inline
from resvision.report.tables import duration, figure, main_figure, percent
from resvision.studies.degradation import Degradation, Row, what_to_see
from resvision.studies.verdicts import Verdict

ABOUT = (
    "Training figures are means over the last epoch, on augmented images while the weights change. With two"
    " seeds or more a figure is the mean over them ± the standard deviation of one run."
)


def header(study: Degradation) -> tuple[str, ...]:
    """The headings of the table, by the figures of the runs' kind."""
    metric = study.kind.noun(study.kind.metrics[0])
    return "net", "seeds", "training loss", f"training {metric}", f"test {study.kind.main_name}", "time a run"


def table(study: Degradation) -> list[tuple[str, ...]]:
    """Rows under `header`: means over the seeds, with the standard deviation from two seeds on."""
    return [_cells(row, study.kind) for row in study.rows]


def verdict_rows(verdicts: Sequence[Verdict]) -> list[tuple[str, str, str]]:
    """(claim, word, by how much) of each verdict."""
    return [(verdict.claim, verdict.word, _amount(verdict)) for verdict in verdicts]


def write_study(study: Degradation, path: Path) -> Path:
    """Write the study as one self-contained page; the path."""
    records = [outcome.record for outcome in study.outcomes]
    models = [outcome.trial.model for outcome in study.outcomes]
    curves = sorted((curve for curve in study.kind.curves if curve.trained), key=lambda curve: curve.trained != "loss")
    html = render(
        "study.html.j2",
        title=f"Degradation: plain against residual nets on {study.data}",
        lead=what_to_see(study),
        header=header(study),
        rows=table(study),
        runs=[
            (
                record.name,
                linked_page(record.folder, path),
                main_figure(study.kind, record.tested.figures[study.kind.main]),
            )
            for record in records
            if record.tested
        ],
        main=f"test {study.kind.main_name}",
        without=without_places(records),
        shades=colours(models),
        about=ABOUT,
        verdicts=verdict_rows(study.verdicts),
        settings=json.dumps(records[0].run, indent=2, ensure_ascii=False),
        curves=[
            inline(curves_svg(records, name=f"curve-{curve.trained}", curve=curve, labels=models)) for curve in curves
        ],
    )
    return write_page(path, html)


def _cells(row: Row, kind: Kind[Any, Any, Any]) -> tuple[str, ...]:
    metric = kind.metrics[0]
    return (
        row.model,
        str(len(row.train_loss)),
        spread(row.train_loss, figure),
        spread(row.train_metric, percent if metric in kind.shares else partial(kind.write, metric)),
        spread(row.test_figure, partial(main_figure, kind)),
        duration(float(np.mean(row.seconds))),
    )


def spread(values: Sequence[float], write: Callable[[float], str]) -> str:
    """The mean of some figures as text, with the standard deviation of one where there are two or more."""
    mean = write(float(np.mean(values)))
    return f"{mean} ± {write(float(np.std(values, ddof=1)))}" if len(values) > 1 else mean


def _amount(verdict: Verdict) -> str:
    unit = f" {verdict.unit}" if verdict.unit else ""
    if math.isnan(verdict.standard_error):
        pairs = f"one {verdict.pair}" if verdict.pairs == 1 else counted(verdict.pairs, verdict.pair)
        return f"{verdict.mean:+.4g}{unit} with {pairs}; three are needed"
    return f"{verdict.mean:+.4g}{unit} ± {verdict.standard_error:.2g} over {counted(verdict.pairs, verdict.pair)}"
