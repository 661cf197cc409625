"""Grids of small pictures: filters and feature maps, heat maps of tables, contours of surfaces.

Glossary
    R, C       rows and columns of a table or a surface
    image      (h, w) numbers, or (h, w, 3) in 0..1
"""

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
"""Pictures of a strip side by side at most."""


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
    """Losses over two directions, each with lines of equal loss in the same levels, which grow by equal factors."""
    return Plot(partial(_draw_surfaces, title, surfaces, per_row), words)


def picture(filters: Floats) -> Floats:
    """A filter (C, h, w) as a picture: three channels as colours (h, w, 3), one as greys, of others their mean."""
    if len(filters) == 3:
        largest = float(np.abs(filters).max()) or 1.0  # 0 is mid grey in every filter
        return np.moveaxis(0.5 + 0.5 * filters / largest, 0, -1)
    return np.asarray(filters.mean(axis=0))


def _draw_strips(title: str, rows: Sequence[Strip]) -> Figure:
    lines = [max(1, -(-len(strip.images) // PER_ROW)) for strip in rows]
    side = WIDTH_IN / PER_ROW
    figure = Figure(figsize=(WIDTH_IN, sum(lines) * side + 0.27 * len(rows) + 0.35), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    parts = np.atleast_1d(figure.subfigures(len(rows), 1, height_ratios=[side * n + 0.27 for n in lines]))
    for part, strip, count in zip(parts, rows, lines, strict=True):
        part.suptitle(strip.title, x=0.01, ha="left", fontsize=9)
        cells = part.subplots(count, PER_ROW, squeeze=False, gridspec_kw={"wspace": 0.05, "hspace": 0.05}).ravel()
        bounds = _bounds(strip.images) if strip.shared else None
        for cell, image in zip(cells, strip.images, strict=False):
            low, high = bounds or _bounds([image])
            cell.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="none")
        for cell in cells:
            cell.set_axis_off()
    return figure


def _bounds(images: Sequence[Floats]) -> tuple[float, float]:
    low, high = min(float(image.min()) for image in images), max(float(image.max()) for image in images)
    return low, high if high > low else low + 1.0


def _draw_tables(title: str, tables: Sequence[Table], label: str, per_row: int) -> Figure:
    across = min(per_row, len(tables))
    down = -(-len(tables) // across)
    side = WIDTH_IN / across
    figure = Figure(figsize=(WIDTH_IN, down * (side + 0.25) + 0.9), layout="compressed")
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
    figure = Figure(figsize=(side * across, down * side + 0.9), layout="compressed")
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
    ticks = levels[:: max(1, len(levels) // 6)]
    bar = figure.colorbar(filled, ax=[*cells], location="bottom", fraction=0.04, aspect=40, label="loss", ticks=ticks)
    bar.ax.set_xticklabels([f"{tick:.2g}" for tick in ticks])
    bar.ax.minorticks_off()
    return figure


def _levels(values: Sequence[Floats], count: int = 19) -> Floats:
    """Levels from the lowest loss to the highest, in equal factors; at most a million times apart."""
    known = np.concatenate([surface[np.isfinite(surface)] for surface in values] or [np.ones(1)])
    high = max(float(known.max(initial=1e-6)), 1e-6)
    low = max(float(known.min(initial=high)), 1e-6 * high)
    return np.geomspace(low, max(high, 1.0001 * low), count)
