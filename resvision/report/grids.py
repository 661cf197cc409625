"""Grids of small pictures: filters and feature maps, heat maps of tables, contours of surfaces.

Glossary
    R, C       rows and columns of a table or a surface
    image      (h, w) numbers, or (h, w, 3) in 0..1
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from resvision.report.figures import Plot
from resvision.report.svg import short

Floats = NDArray[np.float64]

WIDTH_IN = 5.4
PER_ROW = 8
SPAN = 1e4
"""The highest level of a surface, as a multiple of its lowest loss."""
"""Pictures of a strip side by side at most."""
HEADING_IN, GAP_IN = 0.27, 0.03
"""The height of a line of text above pictures, and the edge around each picture."""


class Strip(NamedTuple):
    """Pictures of one kind with a title; those that share a range are drawn in the greys of that range.

    shared  whether all are drawn in one range, and not each in its own
    """

    title: str
    images: Sequence[Floats]
    shared: bool = False


class Table(NamedTuple):
    """A table of numbers (R, C) as a heat map, with the names of its axes; NaN is left white."""

    title: str
    values: Floats
    rows: Sequence[str] = ()
    columns: Sequence[str] = ()
    x_label: str = ""
    y_label: str = ""


class Surface(NamedTuple):
    """A loss (R, C) over steps along two directions, (R,) and (C,)."""

    title: str
    values: Floats
    steps: tuple[Floats, Floats]


def strips(title: str, rows: Sequence[Strip], *, words: str) -> Plot:
    """Strips of small pictures, one below the other."""
    return Plot(partial(_draw_strips, title, rows), words)


def heat_maps(title: str, tables: Sequence[Table], *, label: str, words: str, per_row: int = 3) -> Plot:
    """Tables of numbers in 0..1 as heat maps with one bar of colours."""
    return Plot(partial(_draw_tables, title, tables, label, per_row), words)


def contours(title: str, surfaces: Sequence[Surface], *, words: str, per_row: int = 2) -> Plot:
    """Losses over two directions, each with lines of equal loss in the same levels, which grow by equal factors.

    What lies above SPAN times the lowest loss has the colour of the highest level: the bowl is to be seen, not how
    steep its far walls are.
    """
    return Plot(partial(_draw_surfaces, title, surfaces, per_row), words)


def picture(filters: Floats) -> Floats:
    """A filter (C, h, w) as a picture: three channels as colours (h, w, 3), one as greys, of others their mean."""
    if len(filters) == 3:
        largest = float(np.abs(filters).max()) or 1.0  # 0 is mid grey in every filter
        return np.moveaxis(0.5 + 0.5 * filters / largest, 0, -1)
    return np.asarray(filters.mean(axis=0))


def _draw_strips(title: str, rows: Sequence[Strip]) -> Figure:
    """Strips below the title, placed by hand: a layout engine takes seconds for a hundred pictures."""
    across = min(PER_ROW, max(4, *(len(strip.images) for strip in rows)))
    side = WIDTH_IN / across
    height = HEADING_IN + sum(HEADING_IN + side * max(1, -(-len(strip.images) // across)) for strip in rows)
    figure = Figure(figsize=(WIDTH_IN, height))
    figure.text(0.01, 1 - 0.7 * HEADING_IN / height, title, fontsize=10.5, fontweight="bold", va="center")
    top = height - HEADING_IN
    for strip in rows:
        figure.text(0.01, (top - 0.6 * HEADING_IN) / height, strip.title, fontsize=9, va="center")
        top -= HEADING_IN
        bounds = _bounds(strip.images) if strip.shared else None
        for number, image in enumerate(strip.images):
            line, column = divmod(number, across)
            place = (column * side + GAP_IN, top - (line + 1) * side + GAP_IN, side - 2 * GAP_IN, side - 2 * GAP_IN)
            cell = figure.add_axes((place[0] / WIDTH_IN, place[1] / height, place[2] / WIDTH_IN, place[3] / height))
            low, high = bounds or _bounds([image])
            cell.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="none")
            cell.set_axis_off()
        top -= side * max(1, -(-len(strip.images) // across))
    return figure


def _bounds(images: Sequence[Floats]) -> tuple[float, float]:
    low, high = min(float(image.min()) for image in images), max(float(image.max()) for image in images)
    return low, high if high > low else low + 1.0


def _draw_tables(title: str, tables: Sequence[Table], label: str, per_row: int) -> Figure:
    across = min(per_row, len(tables))
    down = -(-len(tables) // across)
    side = WIDTH_IN / across
    figure = Figure(figsize=(WIDTH_IN, down * (min(side, 4.0) + 0.25) + 0.9), layout="compressed")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    cells = figure.subplots(down, across, squeeze=False).ravel()
    for cell, table in zip(cells, tables, strict=False):
        image = cell.imshow(table.values, cmap="magma", vmin=0.0, vmax=1.0, interpolation="none", origin="lower")
        cell.set_title(table.title, fontsize=9, fontweight="normal")
        cell.set_xlabel(table.x_label, fontsize=8.5)
        cell.set_ylabel(table.y_label, fontsize=8.5)
        cell.grid(visible=False)
        _name(cell, table)
    for cell in cells[len(tables) :]:
        cell.set_axis_off()
    figure.colorbar(image, ax=[*cells], location="bottom", fraction=0.04, aspect=40, label=label)
    return figure


def _name(axes: Axes, table: Table) -> None:
    """Names at the ticks where there are few, numbers from 1 else."""
    for axis, names, count in (("x", table.columns, table.values.shape[1]), ("y", table.rows, table.values.shape[0])):
        if names and count <= 24:
            turned = {"rotation": 90} if axis == "x" else {}
            getattr(axes, f"set_{axis}ticks")(range(count), [short(name, 18) for name in names], fontsize=7, **turned)
        else:
            ticks = [*range(0, count, -(-count // 6))]
            getattr(axes, f"set_{axis}ticks")(ticks, [str(tick + 1) for tick in ticks], fontsize=8)


def _draw_surfaces(title: str, surfaces: Sequence[Surface], per_row: int) -> Figure:
    across = min(per_row, len(surfaces))
    down = -(-len(surfaces) // across)
    side = WIDTH_IN / max(across, 2) if len(surfaces) > 1 else 0.75 * WIDTH_IN
    figure = Figure(figsize=(side * across, down * (side + 0.1) + 0.9), layout="compressed")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    cells = figure.subplots(down, across, squeeze=False).ravel()
    levels = _levels([surface.values for surface in surfaces])
    for cell, surface in zip(cells, surfaces, strict=False):
        x, y = surface.steps[1], surface.steps[0]
        clipped = np.clip(surface.values, levels[0], levels[-1])
        filled = cell.contourf(x, y, clipped, levels=levels, cmap="viridis", norm="log")
        cell.contour(x, y, clipped, levels=levels, colors="white", linewidths=0.4, norm="log")
        cell.plot(0, 0, "+", color="#ffffff", markersize=7)
        cell.set_title(surface.title, fontsize=9, fontweight="normal")
        cell.set(xlabel="steps along one direction", ylabel="along the other", aspect="equal")
        cell.xaxis.set_major_locator(MaxNLocator(5))
        cell.yaxis.set_major_locator(MaxNLocator(5))
        cell.grid(visible=False)
    for cell in cells[len(surfaces) :]:
        cell.set_axis_off()
    ticks = levels[:: (len(levels) - 1) // 3]
    bar = figure.colorbar(filled, ax=[*cells], location="bottom", fraction=0.04, aspect=40, label="loss", ticks=ticks)
    above = any(np.nanmax(surface.values, initial=0.0) > levels[-1] for surface in surfaces)
    marks = [plain(tick) for tick in ticks]
    bar.ax.set_xticklabels([*marks[:-1], f"{marks[-1]} and more" if above else marks[-1]])
    bar.ax.minorticks_off()
    return figure


def plain(value: float) -> str:
    """A number above 0 with two digits that say something, or all of those before its point, such as 0.12 or 1,700."""
    digits = max(0, 1 - math.floor(math.log10(value)))
    return f"{float(f'{value:.2g}'):,.{digits}f}"


def _levels(values: Sequence[Floats], count: int = 19) -> Floats:
    """Levels from the lowest loss up, in equal factors, to the highest or to SPAN times the lowest."""
    known = np.concatenate([surface[np.isfinite(surface)] for surface in values] or [np.ones(1)])
    low = max(float(known.min(initial=np.inf)), 1e-6) if len(known) else 1e-6
    high = min(float(known.max(initial=low)), SPAN * low)
    return np.geomspace(low, max(high, 1.0001 * low), count)
