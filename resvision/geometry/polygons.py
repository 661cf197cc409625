"""Polygons as pixels, and points inside them, by the even-odd rule."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_EDGES = 4096
"""Edges that are crossed with all lines of centres at a time: a polygon of a million corners needs no more memory."""
_POINTS = 1024
"""Points that are held against all edges at a time."""


def inside_polygon(corners: NDArray[Any], height: int, width: int) -> NDArray[np.bool_]:
    """The pixels with their centre inside a polygon of corners (n, 2), x and y, by the even-odd rule, (H, W)."""
    x, y = corners.T
    edges = np.stack([x, y, np.roll(x, -1), np.roll(y, -1)])
    rows = np.arange(height)[:, None] + 0.5
    crossings = np.zeros((height, width + 1), dtype=np.int64)
    for start in range(0, len(corners), _EDGES):
        x, y, next_x, next_y = edges[:, start : start + _EDGES]
        row, edge = np.nonzero((y <= rows) != (next_y <= rows))  # edges that cross a line of centres
        crossing_x = x[edge] + (row + 0.5 - y[edge]) * (next_x - x)[edge] / (next_y - y)[edge]
        first = np.ceil(crossing_x - 0.5).clip(0, width).astype(int)  # the first centre to the right of the crossing
        np.add.at(crossings, (row, first), 1)
    return np.asarray(crossings.cumsum(axis=1)[:, :width] % 2 == 1)


class Edges(NamedTuple):
    """The edges of a polygon that are not level, each from its lower end to its upper one: (n, 2), x and y.

    An edge runs upwards whichever way its polygon goes, so that two polygons that share it cross it at the same point,
    to the bit.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def edges_of(corners: NDArray[Any]) -> Edges:
    """The edges of a polygon of corners (n, 2), of which the last is joined to the first."""
    start, end = np.asarray(corners, dtype=np.float64), np.roll(corners, -1, axis=0)
    swapped = (start[:, 1] > end[:, 1])[:, None]
    low, high = np.where(swapped, end, start), np.where(swapped, start, end)
    rises = high[:, 1] > low[:, 1]
    return Edges(low[rises], high[rises])


def points_inside(points: NDArray[np.float64], edges: Edges) -> NDArray[np.bool_]:
    """Whether points (m, 2) lie inside a polygon, by the even-odd rule, (m,).

    Of polygons that share an edge, exactly one has a point on it, wherever that is not at the rim of both.
    """
    inside = np.zeros(len(points), dtype=np.bool_)
    (low_x, low_y), (high_x, high_y) = edges.low.T, edges.high.T
    if not len(low_x):
        return inside
    x, y = points.T
    near = (y >= low_y.min()) & (y <= high_y.max()) & (x >= np.minimum(low_x, high_x).min())
    near &= x <= np.maximum(low_x, high_x).max()
    slopes = (high_x - low_x) / (high_y - low_y)
    chosen = np.flatnonzero(near)
    for first in range(0, len(chosen), _POINTS):
        some = chosen[first : first + _POINTS]
        beside, above = x[some, None], y[some, None]
        crosses = (low_y <= above) & (above < high_y) & (low_x + (above - low_y) * slopes <= beside)
        inside[some] = crosses.sum(axis=1) % 2 == 1
    return inside
