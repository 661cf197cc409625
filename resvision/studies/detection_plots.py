"""Plots of the line of detectors: milliseconds an image by stage, and AP against time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from resvision.detection.stage_times import STAGES
from resvision.report.svg import CARD, COLOURS, FAINT_INK, INK, short, style, svg_of
from resvision.studies.detection_line import Row

WIDTH_IN = 5.4
SHADES = dict(zip(STAGES, (COLOURS[7], COLOURS[0], COLOURS[3], COLOURS[1], COLOURS[2], COLOURS[4]), strict=True))
"""The colour of each stage."""
ONE_STAGE, TWO_STAGES = COLOURS[5], COLOURS[6]
_NAME = 22  # letters of a system beside a bar
_PLACES = tuple(((x, y), align) for y in (0, 11, -11, 22, -22) for x, align in ((8, "left"), (-8, "right")))
"""Places of a name beside its mark, in points, the best first."""
_TICKS = ((8.0, (1.0, 2.0, 3.0, 5.0)), (30.0, (1.0, 2.0, 5.0)), (float("inf"), (1.0, 3.0)))
"""Ticks in a decade of an axis whose largest value is at most so many times its smallest."""


def milliseconds(value: float) -> str:
    """At least two significant digits: `0.42`, `3.4`, `27`, `1,830`."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def stages_of(rows: Sequence[Row]) -> list[str]:
    """The stages that some system has, in their order."""
    return [stage for stage in STAGES if any(stage in row.stage_ms for row in rows)]


def bars_svg(rows: Sequence[Row], *, name: str, searched: bool) -> str:
    """Milliseconds an image as stacked bars by stage, with or without the search."""
    stages = [stage for stage in stages_of(rows) if searched or stage != "search"]
    totals = [row.ms if searched else row.net_ms for row in rows]
    with style(name):
        figure = Figure(figsize=(WIDTH_IN, 0.3 * len(rows) + 1.25), layout="constrained")
        axes = figure.subplots()
        left = np.zeros(len(rows))
        for stage in stages:
            widths = np.array([row.stage_ms.get(stage, 0.0) for row in rows])
            axes.barh(range(len(rows)), widths, left=left, height=0.66, color=SHADES[stage], label=stage)
            left += widths
        for place, total in enumerate(totals):
            axes.text(total, place, f" {milliseconds(total)}", va="center", color=INK)
        _name_systems(axes, rows)
        axes.set_xlim(0, 1.14 * max(totals))
        axes.set_xlabel("milliseconds an image")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.9g}"))
        if any("search" in row.stage_ms for row in rows):
            axes.set_title("The search included" if searched else "Without the search")
        figure.legend(loc="outside lower center", ncols=3)
        return svg_of(figure, name=name, words=_bars_in_words(rows, stages, searched=searched))


def shares_svg(rows: Sequence[Row], *, name: str) -> str:
    """The share of each stage in the time of an image, the search left out, so that fast and slow systems compare."""
    stages = [stage for stage in stages_of(rows) if stage != "search"]
    with style(name):
        figure = Figure(figsize=(WIDTH_IN, 0.3 * len(rows) + 1.25), layout="constrained")
        axes = figure.subplots()
        left = np.zeros(len(rows))
        for stage in stages:
            widths = np.array([100 * row.stage_ms.get(stage, 0.0) / row.net_ms for row in rows])
            axes.barh(range(len(rows)), widths, left=left, height=0.66, color=SHADES[stage], label=stage)
            left += widths
        _name_systems(axes, rows)
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of the time of an image, without the search")
        axes.set_title("Where the time goes")
        figure.legend(loc="outside lower center", ncols=3)
        return svg_of(figure, name=name, words=_shares_in_words(rows, stages))


def speed_svg(rows: Sequence[Row], *, name: str, data: str) -> str:
    """AP over milliseconds an image on a logarithmic axis; a hollow mark is the same system without the search."""
    with style(name):
        figure = Figure(figsize=(WIDTH_IN, max(3.1, 0.3 * len(rows) + 1.25)), layout="constrained")
        axes = figure.subplots()
        for row in rows:
            _mark(axes, row)
        axes.set_xscale("log")
        times = np.array([time for row in rows for time in (row.ms, row.net_ms)])
        axes.set_xlim(times.min() / 1.5, times.max() * 2.2)
        ratio = times.max() / times.min() * 3.3
        axes.xaxis.set_major_locator(LogLocator(subs=next(subs for limit, subs in _TICKS if ratio <= limit)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: milliseconds(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        low, high = (100 * end([float(end(row.ap)) for row in rows]) for end in (min, max))
        margin = max(0.25 * (high - low), 2.0)
        axes.set_ylim(max(0.0, low - margin), min(100.0, high + margin))
        axes.set(xlabel="milliseconds an image (logarithmic axis)", ylabel=f"AP on {short(data)}, %")
        axes.set_title("AP against time")
        figure.legend(handles=_legend(rows), loc="outside lower center", ncols=3)
        _name_marks(figure, axes, rows)
        return svg_of(figure, name=name, words=_speed_in_words(rows))


def _mark(axes: Axes, row: Row) -> None:
    colour, marker = (TWO_STAGES, "s") if row.two_stages else (ONE_STAGE, "o")
    values = 100 * np.array(row.ap)
    ap = float(values.mean())
    if len(values) > 1:
        axes.errorbar(row.ms, ap, yerr=float(values.std(ddof=1)), color=colour, capsize=3, linewidth=1.2)
    if row.net_ms < row.ms:
        axes.plot([row.net_ms, row.ms], [ap, ap], color=colour, linewidth=1.0, linestyle=(0, (2, 2)))
        axes.plot(row.net_ms, ap, marker, color=colour, markersize=7, markerfacecolor=CARD, markeredgewidth=1.5)
    axes.plot(row.ms, ap, marker, color=colour, markersize=7)


def _name_marks(figure: Figure, axes: Axes, rows: Sequence[Row]) -> None:
    """Write the name of each system beside its mark, where no other name is if there is such a place."""
    figure.draw_without_rendering()  # the layout decides what is where
    marks = [axes.transData.transform((row.ms, 100 * float(np.mean(row.ap)))) for row in rows]
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in marks]
    for row in rows:
        at = row.ms, 100 * float(np.mean(row.ap))
        for offset, align in _PLACES:
            name = axes.annotate(
                short(row.model, _NAME), at, offset, textcoords="offset points", color=INK, va="center", ha=align
            )
            box = name.get_window_extent()
            if not any(box.overlaps(other) for other in taken):
                break
            if (offset, align) != _PLACES[-1]:
                name.remove()
        taken.append(box)


def _legend(rows: Sequence[Row]) -> list[Line2D]:
    marks: dict[str, Any] = {}
    if any(row.two_stages for row in rows):
        marks["two stages"] = Line2D([], [], color=TWO_STAGES, marker="s", linestyle="")
    if any(not row.two_stages for row in rows):
        marks["one stage"] = Line2D([], [], color=ONE_STAGE, marker="o", linestyle="")
    if any(row.net_ms < row.ms for row in rows):
        marks["without the search"] = Line2D(
            [], [], color=FAINT_INK, marker="s", linestyle="", markerfacecolor=CARD, markeredgewidth=1.5
        )
    for label, line in marks.items():
        line.set_label(label)
    return [*marks.values()]


def _name_systems(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_yticks(range(len(rows)), [short(row.model, _NAME) for row in rows])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _bars_in_words(rows: Sequence[Row], stages: Sequence[str], *, searched: bool) -> str:
    parts = [
        f"{row.model}: {milliseconds(row.ms if searched else row.net_ms)}, of which "
        + ", ".join(f"{stage} {milliseconds(row.stage_ms[stage])}" for stage in stages if stage in row.stage_ms)
        for row in rows
    ]
    return f"milliseconds an image by stage. {'; '.join(parts)}."


def _shares_in_words(rows: Sequence[Row], stages: Sequence[str]) -> str:
    parts = []
    for row in rows:
        shares = {stage: 100 * row.stage_ms[stage] / row.net_ms for stage in stages if stage in row.stage_ms}
        parts.append(f"{row.model}: {', '.join(f'{stage} {share:.0f} %' for stage, share in shares.items())}")
    return f"share of each stage in the time of an image. {'; '.join(parts)}."


def _speed_in_words(rows: Sequence[Row]) -> str:
    parts = [
        f"{row.model}, of {'two stages' if row.two_stages else 'one stage'}: AP {100 * float(np.mean(row.ap)):.1f} %"
        f" in {milliseconds(row.ms)} ms"
        for row in rows
    ]
    return f"AP against milliseconds an image. {'; '.join(parts)}."
