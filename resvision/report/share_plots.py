"""Plots of shares over shares that follow from the scores of one run, such as precision over recall."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from resvision.kinds.kind import Plot
from resvision.report.svg import COLOURS, short, style, svg_of

SIDE_IN = 4.4
_LETTERS = 30  # of the name of a line
_LEGEND_IN = 0.19  # the height of a line of the legend


def shares_svg(plot: Plot, *, name: str) -> str:
    """The plot with both axes from 0 to 100 %, its lines named below it."""
    rows = -(-len(plot.lines) // 2)
    with style(name):
        figure = Figure(figsize=(SIDE_IN, SIDE_IN * 0.82 + _LEGEND_IN * rows), layout="constrained")
        axes = figure.subplots()
        for number, line in enumerate(plot.lines):
            colour = line.colour or COLOURS[number % len(COLOURS)]
            width = 2.6 if line.bold else 1.6
            axes.plot(line.x, line.y, color=colour, linewidth=width, label=short(line.name, _LETTERS))
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=plot.axes[0], ylabel=plot.axes[1])
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
        figure.legend(loc="outside lower center", ncols=2)
        return svg_of(figure, name=name, words=_words(plot))


def _words(plot: Plot) -> str:
    """`Precision over recall. cat: precision 98 % at a recall of 25 %, 90 % at 50 %, 40 % at 75 %; ...`"""
    x, y = plot.axes
    parts = []
    for line in plot.lines:
        at = [(share, float(np.interp(share, line.x, line.y))) for share in (0.25, 0.5, 0.75)]
        parts.append(
            f"{line.name}: {y} {', '.join(f'{100 * high:.3g} % at {100 * share:.0f} %' for share, high in at)}"
        )
    return f"{plot.title}, by {x}. {'; '.join(parts)}."
