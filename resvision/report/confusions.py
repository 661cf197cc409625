"""Confusion matrices as heat maps, true classes in rows, a cell coloured by the square root of its share of the row."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resvision.kinds.kind import Matrix
from resvision.report.plot_words import confusion_words
from resvision.report.record import Floats, Ints
from resvision.report.svg import INK, short, style, svg_of

_BLUE = 24, 100, 171
_LEVEL_UP_TO = 20  # classes whose names may lie level below the matrix
_LARGE_UP_TO = 25  # classes whose names are written large
_CELLS = 200  # classes that have a cell each; more would be thinner than a pixel


def confusion_svg(matrix: Matrix, *, name: str) -> str:
    """The matrix, with counts or whole percents of the rows in its cells where the classes are few; zeros are left out.

    Beyond 200 classes, neighbouring ones share a cell, as the axes then say.
    """
    classes = matrix.classes
    k = len(classes)
    block = 1 if k <= _CELLS else -(-k // 100)
    starts = np.arange(0, k, block)
    counts = np.add.reduceat(np.add.reduceat(matrix.counts, starts, axis=0), starts, axis=1)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    side = float(np.clip(1.6 + 0.34 * k, 3.0, 5.8))
    note = f" ({block} neighbouring classes a cell)" if block > 1 else ""
    with style(name):
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        axes.grid(visible=False)
        axes.imshow(_shades(np.sqrt(shares)), interpolation="none")
        axes.set(xlabel=f"predicted{note}", ylabel=f"true{note}")
        axes.spines[:].set_visible(True)
        _name_classes(axes, [classes[start] for start in starts.tolist()])
        if matrix.numbered:
            _write_numbers(axes, np.rint(100 * shares).astype(np.int64) if matrix.percent else counts, shares)
        return svg_of(figure, name=name, words=confusion_words(matrix))


def _shades(strength: Floats) -> Floats:
    """Blue that lets the page through where a share is small, (K, K, 4), so that it does on dark paper, too."""
    blue = np.array(_BLUE) / 255
    return np.concatenate([np.broadcast_to(blue, (*strength.shape, 3)), strength[:, :, None]], axis=2)


def _write_numbers(axes: Axes, numbers: Ints, shares: Floats) -> None:
    """The number in every cell where it is not 0, white on dark."""
    largest = 11.0 if len(numbers) <= 5 else 9.0
    for row, column in np.argwhere(numbers):
        number, ink = f"{numbers[row, column]}", "#ffffff" if shares[row, column] > 0.3 else INK
        size = min(largest, 300.0 / len(numbers) / len(number))
        axes.text(column, row, number, ha="center", va="center", color=ink, fontsize=size)


def _name_classes(axes: Axes, classes: Sequence[str]) -> None:
    """Names at the ticks, of every n-th class where there are more than 40; upright below where they are long."""
    every = -(-len(classes) // 40)
    ticks = range(0, len(classes), every)
    names = [short(classes[i], 14) for i in ticks]
    size = 9.0 if len(classes) <= _LARGE_UP_TO else 6.5
    upright = max(map(len, names), default=0) > 2 or len(names) > _LEVEL_UP_TO
    axes.set_xticks(ticks, names, rotation=90 if upright else 0, fontsize=size)
    axes.set_yticks(ticks, names, fontsize=size)
