"""Plots of a few named lines or points, with their legend below."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from resvision.report.figures import Plot
from resvision.report.svg import colours, short

Floats = NDArray[np.float64]

WIDTH_IN = 5.4


class Line(NamedTuple):
    """A line through points (P,) and (P,); marked where there are few of them."""

    name: str
    x: Floats
    y: Floats


def line_plot(
    title: str,
    lines: Sequence[Line],
    *,
    x_label: str,
    y_label: str,
    words: str,
    log: bool = False,
    ticks: Sequence[str] = (),
) -> Plot:
    """A plot of lines; `log` makes the vertical axis logarithmic, `ticks` names the places 0, 1, .. of the other."""
    return Plot(partial(_draw, title, lines, x_label, y_label, log, ticks), words)


def _draw(title: str, lines: Sequence[Line], x_label: str, y_label: str, log: bool, ticks: Sequence[str]) -> Figure:
    height = 3.3 + (0.19 * -(-len(lines) // 3) if len(lines) > 1 else 0) + (0.6 if ticks else 0)
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axes = figure.subplots()
    shades = colours([line.name for line in lines])
    for line in lines:
        marker = "o" if len(line.x) <= 60 else ""
        axes.plot(
            line.x, line.y, color=shades[line.name], marker=marker, markersize=3, linewidth=1.6, label=short(line.name)
        )
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.set_title(title)
    if log and all((line.y[np.isfinite(line.y)] > 0).all() for line in lines):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    if ticks:
        every = -(-len(ticks) // 28)
        places = range(0, len(ticks), every)
        axes.set_xticks(places, [short(ticks[place], 24) for place in places], rotation=90, fontsize=7)
    if len(lines) > 1:
        figure.legend(loc="outside lower center", ncols=3)
    return figure
