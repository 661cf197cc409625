"""Polygons as pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_EDGES = 4096
"""Edges that are crossed with all lines of centres at a time: a polygon of a million corners needs no more memory."""


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
