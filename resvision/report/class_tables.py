"""The classes of scores on a page: rows of text with bars, and the picture of their confusion."""

from collections.abc import Sequence
from math import isfinite
from operator import itemgetter
from typing import Any, NamedTuple

from markupsafe import Markup

from resvision.kinds.kind import ClassTable, Kind, Scores, Written
from resvision.papers.related import related
from resvision.report.confusions import confusion_svg
from resvision.report.score_plots import plot_svg
from resvision.report.svg import inline
from resvision.report.tables import WRITTEN, percent


class BarCell(NamedTuple):
    """A share as text, and as 0..100 for a bar; another number as text alone."""

    text: str
    bar: float | None


class TableRow(NamedTuple):
    """One class: how many images or pixels it has, its shares, and its colour, "" for none."""

    name: str
    amount: int | None
    shares: tuple[BarCell, ...]
    colour: str


class ShownTable(NamedTuple):
    """Headings of the amount and of the shares; all classes in order, and the worst by the first share.

    worst  empty where all are few enough to be shown
    means  of the shares over the classes that have them, None where the kind does not speak of means
    """

    headings: tuple[str, ...]
    rows: list[TableRow]
    worst: list[TableRow]
    means: tuple[BarCell, ...] | None
    title: str
    noun: str


class ShownPlot(NamedTuple):
    """A plot of a kind with its title and the sentence below it."""

    title: str
    picture: Markup
    caption: str


def class_values(kind: Kind[Any, Any, Any], scores: Scores | None, *, name: str, data: str) -> dict[str, Any]:
    """The values of a template about scores on a data set and their classes; `name` begins the ids in their pictures.

    What was published on the data stands beside them.
    """
    classes = None if scores is None else kind.class_table(scores)
    matrix = None if scores is None else kind.matrix(scores)
    plots = [] if scores is None else kind.plots(scores)
    return {
        "score_tables": [] if scores is None else [*map(shown_table, [*kind.page_tables(scores), *related(data)])],
        "plots": [
            ShownPlot(plot.title, inline(plot_svg(plot, name=f"{name}-plot{i}")), plot.caption)
            for i, plot in enumerate(plots, start=1)
        ],
        "classes": None if classes is None else shown_table(classes),
        "confusion": "" if matrix is None else inline(confusion_svg(matrix, name=name)),
        "numbers": "" if matrix is None or not matrix.numbered else matrix.caption,
    }


def shown_table(table: ClassTable) -> ShownTable:
    """The table of a kind as the page draws it."""
    rows = [TableRow(row.name, row.amount, _cells(row.shares, table.written), row.colour) for row in table.rows]
    means = None if table.means is None else _cells(table.means, table.written)
    return ShownTable(table.headings, rows, _worst(rows), means, table.title, table.noun)


def _worst(rows: Sequence[TableRow], *, many: int = 30, few: int = 15) -> list[TableRow]:
    """The `few` classes that occur and have the lowest first share, worst first, where there are more than `many`."""
    occurring = [(row.shares[0].bar, row) for row in rows if row.amount and row.shares]
    known = [(bar, row) for bar, row in occurring if bar is not None]
    return [row for _, row in sorted(known, key=itemgetter(0))[:few]] if len(rows) > many else []


def _cells(shares: tuple[float, ...], written: Sequence[Written]) -> tuple[BarCell, ...]:
    """The cells of a row, each in the form of its column: percent where none is given."""
    forms: Sequence[Written] = written or ["percent"] * len(shares)
    return tuple(map(_cell, shares, forms))


def _cell(share: float, written: Written) -> BarCell:
    if written != "percent":
        return BarCell(WRITTEN[written](share), None)
    return BarCell(percent(share), round(100 * float(share), 2) if isfinite(share) else 0.0)
