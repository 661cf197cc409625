"""Plots of a study: a series against another, a colour for each condition, a thin line for each seed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatter, MaxNLocator
from numpy.typing import NDArray

from resvision.report.svg import short, style, svg_of
from resvision.studies.design import Lines
from resvision.studies.results import Member, Results, number

WIDTH_IN = 5.4
FAINT = 0.35
"""The opacity of the lines of single seeds behind their mean."""

Dash = Literal["-", "--", ":", "-."]
DASHES: tuple[Dash, ...] = get_args(Dash)
"""The styles of lines, the usual one first."""

Floats = NDArray[np.float64]


def lines_svg(plot: Lines, results: Results, *, name: str, shades: dict[str, str]) -> str | None:
    """A plot as <svg>; None where no member has the series.

    Where the seeds of a condition share their x, their mean is drawn bold before them.
    """
    drawn = {c: members for c in results.conditions if (members := [m for m in results.of(c) if _has(m, plot)])}
    if not drawn:
        return None
    with style(name):
        figure = Figure(figsize=(WIDTH_IN, 3.4 + 0.19 * -(-len(drawn) // 2)), layout="constrained")
        axes = figure.subplots()
        dashes = dashes_of(shades)
        for condition, members in drawn.items():
            _draw(axes, plot, members, shades[condition], dashes[condition])
        axes.set(xlabel=plot.x_label, ylabel=plot.y_label)
        axes.set_title(plot.title)
        _scale(axes, plot)
        handles = [Line2D([], [], color=shades[c], linestyle=dashes[c], linewidth=2.4) for c in drawn]
        figure.legend(handles, [short(condition) for condition in drawn], loc="outside lower center", ncols=2)
        return svg_of(figure, name=name, words=words(plot, drawn))


def column(member: Member, name: str) -> Floats:
    """A series of a member, (P,); NaN where a number is missing."""
    return np.array([number(value) for value in member.series.get(name, ())])


def _has(member: Member, plot: Lines) -> bool:
    return bool(member.series.get(plot.x)) and bool(member.series.get(plot.y))


def dashes_of(shades: Mapping[str, str]) -> dict[str, Dash]:
    """The style of each condition's lines: another one each time that their colour comes again."""
    seen = Counter[str]()
    dashes: dict[str, Dash] = {}
    for condition, shade in shades.items():
        dashes[condition] = DASHES[seen[shade] % len(DASHES)]
        seen[shade] += 1
    return dashes


def _draw(axes: Axes, plot: Lines, members: Sequence[Member], colour: str, dash: Dash) -> None:
    xs, ys = [column(m, plot.x) for m in members], [column(m, plot.y) for m in members]
    marker = "o" if plot.style == "points" or len(xs[0]) == 1 else ""
    line = "none" if plot.style == "points" else dash
    shared = len(members) > 1 and all(np.array_equal(x, xs[0]) for x in xs)
    for x, y in zip(xs, ys, strict=True):
        faint = FAINT if shared else 1
        axes.plot(x, y, linestyle=line, marker=marker, markersize=3.5, color=colour, linewidth=1.0, alpha=faint)
    if shared:
        mean = np.mean(ys, axis=0)
        axes.plot(xs[0], mean, linestyle=line, marker=marker, markersize=4.5, color=colour, linewidth=2.0)


def _scale(axes: Axes, plot: Lines) -> None:
    if "x" in plot.log:
        axes.set_xscale("log")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=4))
    if "y" in plot.log:
        axes.set_yscale("log", nonpositive="mask")
    for axis in [each for letter, each in (("x", axes.xaxis), ("y", axes.yaxis)) if letter in plot.log]:
        axis.set_major_formatter(PlainMarks())
        axis.set_minor_formatter(PlainMarks(minor_thresholds=(2, 0.5)))


class PlainMarks(LogFormatter):
    """The marks of a logarithmic axis as plain numbers, since pages have no mathematical type."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The mark at x, "" where there are so many that this one is left out."""
        return f"{x:.4g}" if super().__call__(x, pos) else ""


def words(plot: Lines, drawn: dict[str, list[Member]]) -> str:
    """The plot in words, with the ends of the means, for those who hear the page."""
    ends = []
    for condition, members in drawn.items():
        x, y = column(members[0], plot.x), [column(member, plot.y) for member in members]
        first, last = (float(np.mean([values[end] for values in y])) for end in (0, -1))
        ends.append(f"{condition} from {first:.3g} at {x[0]:.3g} to {last:.3g} at {x[-1]:.3g}")
    return f"{plot.title}: {plot.y_label} over {plot.x_label}; {'; '.join(ends)}"
