"""Areas filled from their outlines, anti-aliased.

Each row of pixels is cut into lines. Where an edge of an outline crosses a line, it changes the sum from there to the
right, by a share of the pixel that it crosses and in full behind it; the sum over the changes from the left is the
filled area. Areas that overlap count once.

Glossary
    E  edges, all of them
    K  crossings of an edge with a line
"""

import numpy as np

from resvision.kinds.motion.painting import Ints, Singles, repeated
from resvision.kinds.motion.scenes import Floats

LINES = 2
"""Lines of a row of pixels. Along a line the covered share is exact."""


def filled(edges: Floats, planes: Ints, *, count: int, side: int) -> Singles:
    """The covered share of each pixel, (count, side, side).

    edges   (E, 2, 2) their two points as column and row in pixels; the outlines of a plane turn the same way
    planes  (E,) the plane of each
    """
    plane, line, column, turn = _crossings(edges, planes, side)
    within = column.clip(0, side)  # an edge to the left of the plane changes all of its row
    first = np.minimum(np.floor(within), side - 1)
    behind = within - first
    place = ((plane * side + line // LINES) * (side + 1) + first).astype(np.intp)
    changes = np.zeros(count * side * (side + 1), np.float32)
    np.add.at(changes, place, ((1 - behind) * turn / LINES).astype(np.float32))
    np.add.at(changes, place + 1, (behind * turn / LINES).astype(np.float32))
    sums = changes.reshape(count, side, side + 1)
    np.cumsum(sums, axis=2, out=sums)
    return np.minimum(np.abs(sums[:, :, :side]), 1)


def _crossings(edges: Floats, planes: Ints, side: int) -> tuple[Ints, Ints, Floats, Floats]:
    """Plane, line, column and turn (1 downwards, -1 upwards) of each crossing, (K,)."""
    columns, rows = edges[:, :, 0], edges[:, :, 1] * LINES - 0.5  # the first line is crossed at 0
    upper, lower = rows.min(axis=1), rows.max(axis=1)
    first = np.ceil(upper).clip(min=0).astype(np.intp)
    end = np.ceil(lower).clip(max=side * LINES).astype(np.intp)  # an edge ends above the line of its lower point
    edge, offset = repeated((end - first).clip(min=0))
    line = first[edge] + offset
    fall = rows[:, 1] - rows[:, 0]
    slope = (columns[:, 1] - columns[:, 0]) / np.where(fall == 0, 1, fall)
    column = columns[edge, 0] + (line - rows[edge, 0]) * slope[edge]
    return planes[edge], line, column, np.sign(fall[edge])
