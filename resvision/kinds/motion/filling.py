"""Areas filled from their outlines, anti-aliased.

Each column of pixels is cut into lines. The outlines cross a line at places between which it lies inside of one area or
more; each such stretch adds to the column where it begins and takes away where it ends, and the sums down the columns
are the filled areas. Along a line the covered share is exact.

Glossary
    P  points
    E  edges of outlines
    K  crossings of an edge with a line
"""

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.motion.painting import Bytes, Ints, repeated
from resvision.kinds.motion.scenes import Floats

LINES = 4
"""Lines of a column of pixels."""


def fill(planes: Bytes, points: NDArray[np.complex128], edges: Ints, plane: Ints, value: int) -> None:
    """Fill areas of planes (planes, side, side) with a value up to 255, and all else with 0.

    points  (P,) the column and i times the row, in pixels
    edges   (E, 2) the points between which each runs; outlines are closed, and all turn the same way
    plane   (E,) the plane of each
    """
    count, side, _ = planes.shape
    line, row, turn = _crossings(points[edges], plane, side)
    order = np.argsort(line * (2.0 * side) + row.clip(0, side))
    line, row, turn = line[order], row[order], turn[order]
    inside = np.cumsum(turn) != 0  # never at the end of a line, since outlines are closed
    change = np.diff(inside.astype(np.int8), prepend=np.int8(0))
    kept = np.flatnonzero(change)
    places, changes = _changes(line[kept], row[kept], change[kept], side, value)
    sums = np.zeros(count * side * side, np.uint8)
    np.add.at(sums, places, changes.astype(np.uint8))
    np.cumsum(sums.reshape(count, side, side), axis=1, dtype=np.uint8, out=planes)


def _changes(line: Ints, row: Floats, change: NDArray[np.int8], side: int, value: int) -> tuple[Ints, Ints]:
    """Pixels, counted over all planes, and by how much the sums change from each of them downwards.

    A change adds a share of the value to the pixel it lies in, and the rest to the one below. Bytes wrap around on the
    way, and are right again once all is summed up.
    """
    parts = np.diff(np.arange(LINES + 1) * value // LINES)  # whole numbers, so that what is added is taken away again
    plane, column = np.divmod(line // LINES, side)
    row = row.clip(0, side)
    pixel = np.minimum(row.astype(np.intp), side - 1)
    amount = parts[line % LINES]
    below = np.rint((row - pixel) * amount).astype(np.intp)
    place = (plane * side + pixel) * side + column
    more = pixel + 1 < side
    places = np.concatenate([place, place[more] + side])
    return places, np.concatenate([(amount - below) * change, (below * change)[more]])


def _crossings(edges: NDArray[np.complex128], plane: Ints, side: int) -> tuple[Ints, Floats, Ints]:
    """The line of each crossing, counted over all planes, its row, and the way of the edge, 1 or -1, (K,)."""
    places, rows = edges.real * LINES - 0.5, edges.imag  # line 0 lies at 0
    first = np.ceil(places.min(axis=1)).clip(min=0).astype(np.intp)
    end = np.ceil(places.max(axis=1)).clip(max=side * LINES).astype(np.intp)  # its last point is the next edge's
    edge, line = repeated(first, (end - first).clip(min=0))
    along = places[:, 1] - places[:, 0]
    slope = (rows[:, 1] - rows[:, 0]) / np.where(along == 0, 1, along)
    row = (rows[:, 0] - places[:, 0] * slope)[edge] + line * slope[edge]
    return plane[edge] * (side * LINES) + line, row, np.sign(along).astype(np.intp)[edge]
