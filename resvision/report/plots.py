"""Curves and throughput of runs.

The curves follow Fig. 4 and 6 of He et al. 2015 (https://arxiv.org/abs/1512.03385): a colour a run, training thin and
dashed, test bold, validation bold and dotted with a ring around the best, the axis cut where the interesting end is.
"""

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from resvision.core.history import TEST, VALIDATION
from resvision.kinds.kind import Curve
from resvision.report.plot_words import curve_words, throughput_words
from resvision.report.record import Floats, Ints, RunRecord
from resvision.report.svg import CARD, COLOURS, FAINT_INK, LABEL, colours, short, style, svg_of
from resvision.report.tables import speed_unit

WIDTH_IN = 5.4
"""Of a plot that stands beside one other; a point is a unit of the SVG, so text keeps its share of the width."""

_BOLD: dict[str, Any] = {TEST: {"linestyle": "-"}, VALIDATION: {"linestyle": (0, (5, 1, 1, 1))}}
_THIN: dict[str, Any] = {"linewidth": 1.0, "linestyle": (0, (4, 2))}
_ALONE: dict[str, Any] = {"linewidth": 1.5}  # of training where nothing bold stands beside it
_TICKS = (
    (2.5, (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)),
    (8.0, (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)),
    (300.0, (1.0, 2.0, 5.0)),
    (float("inf"), (1.0,)),
)
"""Ticks in a decade of a logarithmic axis whose largest value is at most so many times its smallest."""
_POINTS = 300  # at most in a smoothed curve


def curves_svg(
    records: Sequence[RunRecord],
    *,
    curve: Curve,
    name: str = "curves",
    labels: Sequence[str] | None = None,
    shades: dict[str, str] | None = None,
    width_in: float = WIDTH_IN,
) -> str:
    """A curve of all runs, which are of one task, against epochs, or against steps where epochs have different lengths.

    labels  one a run, its name by default; runs of one label share a colour and a line of the legend
    shades  the colour of each label, where others of the page are to match

    Training curves are running means over an epoch, drawn at the middle of it.
    """
    labels = list(labels) if labels is not None else [record.name for record in records]
    palette = shades or colours(labels)
    shades = {label: palette[label] for label in labels}
    columns = _legend_columns(list(shades), width_in)
    with style(name):
        height = 0.45 * width_in + 1.07 + 0.19 * -(-len(shades) // columns)
        figure = Figure(figsize=(width_in, height), layout="constrained")
        axes = figure.subplots()
        in_steps = len({record.steps_per_epoch for record in records}) > 1
        axes.set_xlabel("steps" if in_steps else "epochs")
        for record, label in zip(records, labels, strict=True):
            scale = 1 if in_steps else record.steps_per_epoch
            _draw_run(axes, record, curve=curve, colour=shades[label], scale=scale)
        axes.set_ylabel(f"{curve.name}, {curve.unit}" if curve.unit else curve.name)
        {"rising": _finish_rising, "falling": _finish_falling, "logarithmic": _finish_logarithmic}[curve.axis](
            axes, records, curve
        )
        _name_lines(axes, records, curve)
        done = max(record.steps_done / (1 if in_steps else record.steps_per_epoch) for record in records)
        axes.set_xlim(0, 1.03 * max(done, 1))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        _add_legend(figure, shades, columns)
        return svg_of(figure, name=name, words=curve_words(records, labels, curve))


def settings_curves(records: Sequence[RunRecord]) -> tuple[Curve, ...]:
    """The curves of settings that change while a run is trained, which is the learning rate."""
    known = any(np.isfinite(record.metric("lr")).any() for record in records)
    return (Curve("learning rate", "rising", trained="lr", unit="", averaged=False),) if known else ()


def throughput_svg(record: RunRecord, *, name: str, colour: str = COLOURS[0]) -> str:
    """The curve of samples a second over the minutes of training, in up to 200 windows of equally many steps."""
    cuts = np.arange(0, len(record.steps.step), -(-len(record.steps.step) // 200) or 1)
    seconds, images = np.add.reduceat(record.steps.seconds, cuts), np.add.reduceat(record.steps.images, cuts)
    with style(name):
        figure = Figure(figsize=(WIDTH_IN, 2.0), layout="constrained")
        axes = figure.subplots()
        axes.set(xlabel="minutes of training steps", ylabel=speed_unit(record.kind))
        axes.plot((np.cumsum(seconds) - seconds / 2) / 60, images / seconds, color=colour, linewidth=1.4)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.9g}"))
        return svg_of(figure, name=name, words=throughput_words(record))


def running_mean(steps: Ints, values: Floats, *, window: int) -> tuple[Floats, Floats]:
    """Means of `window` neighbouring values and the middles of their steps, at most 300 points, the last included."""
    window = max(1, min(window, len(values)))
    if not len(values):
        return np.empty(0), np.empty(0)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means = (sums[window:] - sums[:-window]) / window
    middles = steps[window - 1 :].astype(np.float64) - window / 2  # a step ends at its number and began one before
    chosen = np.unique(np.linspace(0, len(means) - 1, min(_POINTS, len(means))).round().astype(np.int64))
    return middles[chosen], means[chosen]


def _draw_run(axes: Axes, record: RunRecord, *, curve: Curve, colour: str, scale: int) -> None:
    if curve.trained is not None:
        at, means = _training(record, curve, curve.trained)
        single = "o" if len(at) == 1 else ""
        look = _ALONE if curve.evaluated is None else _THIN
        axes.plot(at / scale, means, color=colour, marker=single, markersize=4, **look)
    if curve.evaluated is not None:
        steps = record.evaluations.step
        values = curve.evaluated(record.evaluations.figures) * _factor(curve)
        marker = "o" if len(steps) == 1 else ""
        bold = _BOLD[record.split]
        axes.plot(steps / scale, values, color=colour, linewidth=2.0, marker=marker, **bold)
        best = record.best(values)
        if best is not None:
            ring = record.best_step / scale, best
            axes.plot(*ring, "o", color=colour, markersize=7, markerfacecolor=CARD, markeredgewidth=1.6)


def _factor(curve: Curve) -> float:
    return 100.0 if curve.unit == "%" else 1.0


def _training(record: RunRecord, curve: Curve, metric: str) -> tuple[Floats, Floats]:
    """Steps at which the training curve of a run is drawn, and its values in the curve's unit."""
    values = record.metric(metric) * _factor(curve)
    return running_mean(record.steps.step, values, window=record.steps_per_epoch if curve.averaged else 1)


def _drawn(records: Sequence[RunRecord], curve: Curve) -> list[Floats]:
    """The values of all lines of a curve in its unit, without those that are not known."""
    columns = []
    for record in records:
        if curve.trained is not None:
            columns.append(_training(record, curve, curve.trained)[1])
        if curve.evaluated is not None:
            columns.append(curve.evaluated(record.evaluations.figures) * _factor(curve))
    return [column[np.isfinite(column)] for column in columns]


def _bounds(curve: Curve) -> tuple[float, float]:
    """The least and the greatest upper end of a linear axis."""
    return (1.0, 100.0) if curve.unit == "%" else (0.0, inf)


def _finish_rising(axes: Axes, records: Sequence[RunRecord], curve: Curve) -> None:
    """Let the axis go from 0 to a little above the highest point."""
    least, greatest = _bounds(curve)
    highest = max(map(_highest, _drawn(records, curve)), default=0.0)
    axes.set_ylim(0, min(greatest, max(1.15 * highest, least) or 1.0))


def _finish_falling(axes: Axes, records: Sequence[RunRecord], curve: Curve) -> None:
    """Let the axis go from 0 to 2.5 times the highest end of a finished run, if that cuts anything much."""
    least, greatest = _bounds(curve)
    highest = max(map(_highest, _drawn(records, curve)), default=0.0)
    judged = [record for record in records if record.finished] or records
    end = max(map(_end, _drawn(judged, curve)), default=0.0)
    limit = min(greatest, _round_up(max(2.5 * end, least) or 1.0))
    cut = limit < 0.85 * highest
    axes.set_ylim(0, limit if cut else min(greatest, 1.06 * max(highest, least) or 1.0))
    if cut:
        axes.set_ylabel(f"{axes.get_ylabel()} (axis cut at {f'{limit:g} {curve.unit}'.strip()})")


def _finish_logarithmic(axes: Axes, records: Sequence[RunRecord], curve: Curve) -> None:
    """Make the axis logarithmic, with plain numbers, more of them where it spans little."""
    axes.set_ylabel(f"{axes.get_ylabel()} (logarithmic axis)")
    values = np.concatenate([np.empty(0), *_drawn(records, curve)])
    values = values[values > 0]
    if not len(values):
        return
    axes.set_yscale("log", nonpositive="mask")
    ratio = values.max() / values.min()
    axes.yaxis.set_major_locator(LogLocator(subs=next(subs for limit, subs in _TICKS if ratio <= limit)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _highest(column: Floats) -> float:
    return float(column.max()) if len(column) else 0.0


def _end(column: Floats) -> float:
    """The end of a curve: the median of its last tenth, so that one jump does not stretch the axis."""
    return float(np.median(column[-max(1, len(column) // 10) :])) if len(column) else 0.0


def _round_up(value: float) -> float:
    """The next number of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    steps = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return float(next(step * power for step in steps if step * power >= value * (1 - 1e-9)))


def judged_splits(records: Sequence[RunRecord]) -> list[str]:
    """The splits whose figures are drawn, in order of appearance."""
    return list(dict.fromkeys(record.split for record in records))


def _legend_columns(labels: Sequence[str], width_in: float) -> int:
    longest = max((min(len(label), LABEL) for label in labels), default=0)
    return max(1, min(3, int(width_in * 72 / (5.2 * longest + 46))))


def _add_legend(figure: Figure, shades: dict[str, str], columns: int) -> None:
    """Name the runs by colour, below the axes."""
    lines = [Line2D([], [], color=colour, linewidth=2.4) for colour in shades.values()]
    figure.legend(lines, [short(label) for label in shades], loc="outside lower center", ncols=columns)


def _name_lines(axes: Axes, records: Sequence[RunRecord], curve: Curve) -> None:
    """Write the title, and, where lines are of training and of splits, which are of what."""
    grey = FAINT_INK
    splits = judged_splits(records) if curve.evaluated is not None else []
    thin = {"training": Line2D([], [], color=grey, **_THIN)} if curve.trained is not None else {}
    lines = {**thin, **{split: Line2D([], [], color=grey, linewidth=2.0, **_BOLD[split]) for split in splits}}
    *words, last = lines
    title = f"{', '.join(words)} and {last}" if words else last
    title = f"{title} {curve.name}" if curve.averaged else curve.name
    axes.set_title(f"{title[0].upper()}{title[1:]}")
    if words:
        axes.legend(lines.values(), lines.keys(), loc="lower right" if curve.axis == "rising" else "best")
