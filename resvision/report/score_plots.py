"""Plots that follow from the scores of one run, such as precision over recall, or errors over time."""

from math import isfinite

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from resvision.kinds.kind import Line, Plot
from resvision.report.svg import COLOURS, short, style, svg_of

SIDE_IN = 4.4
_LETTERS = 30  # of the name of a line
_LEGEND_IN = 0.19  # the height of a line of the legend
_BARS = 0.8  # the width of the bars of a group, which is 1 apart from the next
_MOST_MARKED = 20  # points of a line, above which they are too close for a mark each


def plot_svg(plot: Plot, *, name: str) -> str:
    """The plot with its axes as their units ask, its lines named below it; of groups, bars beside each other."""
    rows = -(-len(plot.lines) // 2)
    with style(name):
        figure = Figure(figsize=(SIDE_IN, SIDE_IN * 0.82 + _LEGEND_IN * rows), layout="constrained")
        axes = figure.subplots()
        for number, line in enumerate(plot.lines):
            colour = line.colour or COLOURS[number % len(COLOURS)]
            if plot.ticks:
                width = _BARS / len(plot.lines)
                left = line.x + (number - len(plot.lines) / 2) * width
                axes.bar(left, line.y, width, align="edge", color=colour, label=_named(line))
                continue
            width = 2.6 if line.bold else 1.6
            mark = "o" if len(line.x) <= _MOST_MARKED else ""
            axes.plot(line.x, line.y, color=colour, linewidth=width, marker=mark, markersize=4, label=_named(line))
        _set_axes(axes, plot)
        figure.legend(loc="outside lower center", ncols=2)
        return svg_of(figure, name=name, words=_words(plot))


def _named(line: Line) -> str:
    return short(line.name, _LETTERS)


def _set_axes(axes: Axes, plot: Plot) -> None:
    """Give each axis its noun and its ends, and its numbers the sign of percent where they are shares."""
    nouns = [noun if unit in {"%", ""} else f"{noun}, {unit}" for noun, unit in zip(plot.axes, plot.units, strict=True)]
    axes.set(xlabel=nouns[0], ylabel=nouns[1])
    x_unit, y_unit = plot.units
    if x_unit == "%":
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    elif plot.ticks:
        axes.set_xticks(range(len(plot.ticks)), plot.ticks, rotation=20, ha="right")
        axes.set_xlim(-0.5, len(plot.ticks) - 0.5)
        axes.xaxis.grid(False)
    else:
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if y_unit == "%":
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    else:
        axes.set_ylim(bottom=0)


def _words(plot: Plot) -> str:
    """The plot as text: `Precision over recall, by recall. cat: precision 98 % at 25 %, 90 % at 50 %, ...`."""
    parts = [f"{line.name}: {plot.axes[1]} {', '.join(_points(plot, line))}" for line in plot.lines]
    return f"{plot.title}, by {plot.axes[0]}. {'; '.join(parts)}."


def _points(plot: Plot, line: Line) -> list[str]:
    """The points of a line as text: all of a few, of shares those at 25, 50 and 75 %."""
    x_unit, y_unit = plot.units
    if x_unit == "%" and len(line.x) > _MOST_MARKED:
        at = [(share, float(np.interp(share, line.x, line.y))) for share in (0.25, 0.5, 0.75)]
    else:
        at = [(x, y) for x, y in zip(line.x.tolist(), line.y.tolist(), strict=True) if isfinite(y)]
    if plot.ticks:
        return [f"{_amount(y, y_unit)} for {plot.ticks[round(x)]}" for x, y in at]
    return [f"{_amount(y, y_unit)} at {_amount(x, x_unit)}" for x, y in at]


def _amount(value: float, unit: str) -> str:
    return f"{100 * value:.3g} %" if unit == "%" else f"{value:.3g} {unit}".rstrip()
