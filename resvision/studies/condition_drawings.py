"""Pictures of a study with a row for each condition: every seed is a dot, and a bar stands at their mean.

Readable with many conditions, whose curves and colours would run into each other.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from resvision.report.svg import AXIS, COLOURS, short, style, svg_of
from resvision.studies.results import Results

WIDTH_IN = 5.4
ROW_IN = 0.27


class Shown(NamedTuple):
    """A figure that is drawn, its name in the legend, and whether it is a share, which is written in percent."""

    figure: str
    label: str
    is_share: bool


def tested(results: Results, *, name: str) -> str:
    """The main figure on the test images, and the first figure of training, by condition, as <svg>."""
    kind = results.kind
    shown = [Shown("tested", f"test {kind.main_name}", kind.main in kind.shares)]
    if kind.metrics:
        shown.insert(0, Shown("trained", f"training {kind.noun(kind.metrics[0])}", kind.metrics[0] in kind.shares))
    return dots(results, shown, title="By condition", name=name)


def fits(results: Results, *, name: str) -> str:
    """Errors on a net's own images and on test images, by condition, as <svg>; both without augmentation."""
    shown = (Shown("fit.train_error", "its own images", True), Shown("fit.test_error", "test images", True))
    return dots(results, shown, title="Error of the final weights", name=name)


def dots(results: Results, shown: Sequence[Shown], *, title: str, name: str) -> str:
    """Figures by condition as <svg>: a row for each, a colour for each figure, dots for seeds, a bar at the mean."""
    conditions = results.conditions
    with style(name):
        figure = Figure(figsize=(WIDTH_IN, 1.1 + ROW_IN * len(conditions)), layout="constrained")
        axes = figure.subplots()
        for number, (key, label, _) in enumerate(shown):
            colour, shift = COLOURS[number], (number - (len(shown) - 1) / 2) * 0.3
            for row, condition in enumerate(conditions):
                values = results.figure(condition, key)
                axes.plot(values, [row + shift] * len(values), "o", color=colour, markersize=4, alpha=0.55)
                axes.plot([results.mean(condition, key)], [row + shift], "|", color=colour, markersize=11, mew=2.2)
            axes.plot([], [], "o", color=colour, markersize=4, label=label)
        axes.set_yticks(range(len(conditions)), [short(condition) for condition in conditions])
        axes.set_ylim(len(conditions) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_color(AXIS)
        axes.xaxis.set_major_locator(MaxNLocator(7))
        if all(each.is_share for each in shown):
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
        axes.set_title(title)
        figure.legend(loc="outside lower center", ncols=len(shown))
        return svg_of(figure, name=name, words=words(results, shown, title))


def words(results: Results, shown: Sequence[Shown], title: str) -> str:
    """The picture in words, with the means, for those who hear the page."""
    parts = []
    for condition in results.conditions:
        means = [(each, results.mean(condition, each.figure)) for each in shown]
        written = [f"{each.label} {_written(mean, each.is_share)}" for each, mean in means if math.isfinite(mean)]
        parts.append(f"{condition}: {', '.join(written) or 'none'}")
    return f"{title}; {'; '.join(parts)}"


def _written(value: float, is_share: bool) -> str:
    return f"{100 * value:.3g} %" if is_share else f"{value:.3g}"
