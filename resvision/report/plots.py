"""Plots as SVG text that stands inside an HTML page: text stays text, nothing is loaded, equal data give equal text.

The curves follow Fig. 4 and 6 of He et al. 2015 (https://arxiv.org/abs/1512.03385): a colour a run, training error
thin and dashed, test error bold, validation error bold and dotted with a ring around the best, the axis cut where the
interesting end is. `name` must be unique on its page; every id inside the plot begins with it.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from io import StringIO
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from resvision.core.errors import printable
from resvision.core.history import TEST, VALIDATION
from resvision.core.results import ClassificationScores
from resvision.report.read import Floats, Ints, RunRecord

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif"
COLOURS = ("#0b62c4", "#d9480f", "#2b8a3e", "#9c36b5", "#b08800", "#0c8599", "#c2255c", "#5c5f66")
NUMBERS_UP_TO = 20  # classes; a larger confusion matrix has no room for counts

_CELLS = 200  # classes that have a cell each; more would be thinner than a pixel
_WIDTH = 5.4  # inches; a point is a unit of the SVG, so text keeps its share of the width
_BOLD: dict[str, Any] = {TEST: {"linestyle": "-"}, VALIDATION: {"linestyle": (0, (5, 1, 1, 1))}}
_POINTS = 300  # at most in a smoothed curve
_LABEL = 38  # letters of a name in a legend
_STYLE: dict[str, Any] = {
    "text.parse_math": False,  # a class may be called a$b$
    "svg.fonttype": "none",
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#868e96",
    "axes.labelcolor": "#343a40",
    "xtick.color": "#495057",
    "ytick.color": "#495057",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e9ecef",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.solid_capstyle": "round",
}


def colours(labels: Sequence[str]) -> dict[str, str]:
    """A colour for every different label, in order of appearance; they repeat after eight."""
    return {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(dict.fromkeys(labels))}


def curves_svg(
    records: Sequence[RunRecord],
    *,
    quantity: Literal["error", "loss"],
    name: str = "curves",
    labels: Sequence[str] | None = None,
) -> str:
    """Curves of all runs against epochs, or against steps where the epochs have different lengths.

    error   of training and of test or validation, in %; the axis is cut above the ends of the curves, and says so
    loss    of training, on a logarithmic axis
    labels  one a run, its name by default; runs of one label share a colour and a line of the legend

    Training curves are running means over an epoch, drawn at the middle of it.
    """
    labels = list(labels) if labels is not None else [record.name for record in records]
    shades = colours(labels)
    with _style(name):
        figure = Figure(figsize=(_WIDTH, 3.5 + 0.19 * _legend_rows(list(shades))), layout="constrained")
        axes = figure.subplots()
        in_steps = len({record.steps_per_epoch for record in records}) > 1
        axes.set_xlabel("steps" if in_steps else "epochs")
        for record, label in zip(records, labels, strict=True):
            scale = 1 if in_steps else record.steps_per_epoch
            _draw_run(axes, record, quantity=quantity, colour=shades[label], scale=scale)
        if quantity == "error":
            _finish_error(axes, records)
        else:
            _finish_loss(axes)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        _add_legend(figure, shades, judged_splits(records) if quantity == "error" else [])
        return _svg(figure, name=name, title=f"{quantity} of {', '.join(shades)}")


def confusion_svg(scores: ClassificationScores, *, name: str) -> str:
    """The confusion matrix as a heat map, true classes in rows, a cell coloured by the root of its share of the row.

    Counts stand in the cells of up to 20 classes; beyond 200, neighbouring classes share a cell, as the axes say.
    """
    k = len(scores.classes)
    block = 1 if k <= _CELLS else -(-k // 100)
    starts = np.arange(0, k, block)
    counts = np.add.reduceat(np.add.reduceat(scores.confusion, starts, axis=0), starts, axis=1)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    side = float(np.clip(1.6 + 0.34 * k, 3.0, 5.8))
    note = f" ({block} neighbouring classes a cell)" if block > 1 else ""
    with _style(name):
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        axes.grid(visible=False)
        axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, interpolation="none")
        axes.set(xlabel=f"predicted{note}", ylabel=f"true{note}")
        axes.spines[:].set_visible(True)
        _name_classes(axes, [scores.classes[start] for start in starts])
        if k <= NUMBERS_UP_TO:
            _write_counts(axes, counts, shares)
        return _svg(figure, name=name, title=f"confusion matrix of {k} classes")


def throughput_svg(record: RunRecord, *, name: str, colour: str = COLOURS[0]) -> str:
    """Images/s over the minutes of training, in up to 200 windows of equally many steps."""
    cuts = np.arange(0, len(record.steps.step), -(-len(record.steps.step) // 200) or 1)
    seconds, images = np.add.reduceat(record.steps.seconds, cuts), np.add.reduceat(record.steps.images, cuts)
    with _style(name):
        figure = Figure(figsize=(_WIDTH, 2.0), layout="constrained")
        axes = figure.subplots()
        axes.set(xlabel="minutes of training steps", ylabel="images/s")
        axes.plot((np.cumsum(seconds) - seconds / 2) / 60, images / seconds, color=colour, linewidth=1.4)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        return _svg(figure, name=name, title=f"images per second of {record.name}")


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


def _draw_run(axes: Axes, record: RunRecord, *, quantity: Literal["error", "loss"], colour: str, scale: int) -> None:
    values = record.steps.error * 100 if quantity == "error" else record.steps.loss
    at, means = running_mean(record.steps.step, values, window=record.steps_per_epoch)
    thin = {"linewidth": 1.0, "linestyle": (0, (4, 2))} if quantity == "error" else {"linewidth": 1.5}
    single = "o" if len(at) == 1 else ""
    axes.plot(at / scale, means, color=colour, marker=single, markersize=4, **thin)
    if quantity == "error":
        tests = record.evaluations
        marker = "o" if len(tests.step) == 1 else ""
        bold = _BOLD[record.split]
        axes.plot(tests.step / scale, tests.top1_error * 100, color=colour, linewidth=2.0, marker=marker, **bold)
        if record.best_error is not None:
            ring = record.best_step / scale, record.best_error * 100
            axes.plot(*ring, "o", color=colour, markersize=7, markerfacecolor="#ffffff", markeredgewidth=1.6)


def _finish_error(axes: Axes, records: Sequence[RunRecord]) -> None:
    """Title and a linear axis from 0 to 2.5 times the highest end of a finished run, if that cuts anything much."""
    highest = 100 * max((_highest(column) for each in records for column in _errors(each)), default=1.0)
    judged = [each for each in records if each.finished] or records
    limit = _round_up(max(250 * max((_end(column) for each in judged for column in _errors(each)), default=1.0), 1.0))
    cut = limit < 0.85 * highest
    axes.set_ylim(0, limit if cut else min(100.0, 1.06 * max(highest, 1.0)))
    axes.set_ylabel(f"error, % (axis cut at {limit:g} %)" if cut else "error, %")
    words = ["training", *judged_splits(records)]
    axes.set_title(f"{', '.join(words[:-1])} and {words[-1]} error".capitalize())


def _errors(record: RunRecord) -> tuple[Floats, Floats]:
    """Training error as it is drawn, and test error, without what is not known."""
    smooth = running_mean(record.steps.step, record.steps.error, window=record.steps_per_epoch)[1]
    tests = record.evaluations.top1_error
    return smooth[np.isfinite(smooth)], tests[np.isfinite(tests)]


def _highest(column: Floats) -> float:
    return float(column.max()) if len(column) else 0.0


def _end(column: Floats) -> float:
    """Where a curve ends: the median of its last tenth, so that one jump does not stretch the axis."""
    return float(np.median(column[-max(1, len(column) // 10) :])) if len(column) else 0.0


def _finish_loss(axes: Axes) -> None:
    """Title and a logarithmic axis with plain numbers, more of them where it spans little."""
    values = np.concatenate([np.asarray(line.get_ydata()) for line in axes.get_lines()] or [np.empty(0)])
    values = values[values > 0]
    axes.set_title("Training loss")
    axes.set_ylabel("loss (logarithmic axis)")
    if not len(values):
        return
    axes.set_yscale("log", nonpositive="mask")
    wide = values.max() / values.min() > 300
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _round_up(value: float) -> float:
    """The next number of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten, at most 100."""
    power = 10.0 ** np.floor(np.log10(value))
    steps = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return float(min(100.0, next(step * power for step in steps if step * power >= value * (1 - 1e-9))))


def _legend_columns(labels: Sequence[str]) -> int:
    longest = max((min(len(label), _LABEL) for label in labels), default=0)
    return max(1, min(3, int(_WIDTH * 72 / (5.2 * longest + 46))))


def _legend_rows(labels: Sequence[str]) -> int:
    return -(-len(labels) // _legend_columns(labels))


def judged_splits(records: Sequence[RunRecord]) -> list[str]:
    """The splits whose error is drawn, in order of appearance."""
    return list(dict.fromkeys(record.split for record in records))


def _add_legend(figure: Figure, shades: dict[str, str], splits: Sequence[str]) -> None:
    """Runs by colour below the axes, and where errors of `splits` are drawn what thin and bold mean."""
    lines = [Line2D([], [], color=colour, linewidth=2.4) for colour in shades.values()]
    names = [_short(label) for label in shades]
    figure.legend(lines, names, loc="outside lower center", ncols=_legend_columns(list(shades)))
    if splits:
        grey = "#495057"
        thin = Line2D([], [], color=grey, linewidth=1.0, linestyle=(0, (4, 2)))
        bold = [Line2D([], [], color=grey, linewidth=2.0, **_BOLD[split]) for split in splits]
        figure.axes[0].legend([thin, *bold], ["training", *splits], loc="upper right")


def _write_counts(axes: Axes, counts: Ints, shares: Floats) -> None:
    """The number in every cell that holds an image, white on dark."""
    largest = 11.0 if len(counts) <= 5 else 9.0
    for row, column in np.argwhere(counts):
        count, ink = f"{counts[row, column]}", "#ffffff" if shares[row, column] > 0.3 else "#212529"
        size = min(largest, 300.0 / len(counts) / len(count))
        axes.text(column, row, count, ha="center", va="center", color=ink, fontsize=size)


def _name_classes(axes: Axes, classes: Sequence[str]) -> None:
    """Names at the ticks, of every n-th class where there are more than 40; upright below where they are long."""
    every = -(-len(classes) // 40)
    ticks = range(0, len(classes), every)
    names = [_short(classes[i], 14) for i in ticks]
    size = 9.0 if len(classes) <= NUMBERS_UP_TO else 6.5
    upright = max(map(len, names), default=0) > 2 or len(names) > NUMBERS_UP_TO
    axes.set_xticks(ticks, names, rotation=90 if upright else 0, fontsize=size)
    axes.set_yticks(ticks, names, fontsize=size)


def _short(text: str, letters: int = _LABEL) -> str:
    """The text on one line and not too long."""
    text = printable(text)
    return text if len(text) <= letters else f"{text[: letters - 1]}…"


@contextmanager
def _style(name: str) -> Iterator[None]:
    """Our look whatever the user's matplotlibrc says, and ids that are a function of `name` and the content."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        settings: dict[Any, Any] = {**_STYLE, "svg.hashsalt": name}
        matplotlib.rcParams.update(settings)
        yield


def _svg(figure: Figure, *, name: str, title: str) -> str:
    """The figure as one inline <svg>, without prolog, namespaces, metadata and style sheet, its ids under `name`."""
    stream = StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # the browser's fonts draw it, not matplotlib's
        nothing: dict[str, Any] = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(stream, format="svg", metadata=nothing)
    text = stream.getvalue()
    box = re.search(r'viewBox="([^"]+)"', text)
    assert box is not None, "matplotlib writes a view box"
    body = text[text.index(">", box.end()) + 1 : text.rindex("</svg>")]
    body = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r" ?font-family: [^;\"]*;?", "", body)
    body = re.sub(r'( id="|href="#|url\(#)', rf"\1{name}-", body).replace("xlink:href", "href")
    body = re.sub(r"\s*\n\s*", " ", body)
    return (
        f'<svg class="plot" role="img" aria-label="{escape(printable(title))}" viewBox="{box[1]}"'
        f' style="font-family: {FONTS}; stroke-linejoin: round; stroke-linecap: butt">{body}</svg>'
    )
