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
    """Fill areas of planes (planes, side, side), all of them black, with a value up to 255.

    points  (P,) the column and i times the row, in pixels
    edges   (E, 2) the points between which each runs; outlines are closed, and all turn the same way
    plane   (E,) the plane of each
    """
    side = planes.shape[1]
    line, row, turn = _crossings(points[edges], plane, side)
    order = np.lexsort((row, line))
    line, row, turn = line[order], row[order], turn[order]
    depth = np.cumsum(turn)  # 0 again at the end of each line, since outlines are closed
    inside = depth != 0
    begins = inside & ~np.concatenate([[False], inside[:-1]])
    ends = ~inside & np.concatenate([[False], inside[:-1]])
    parts = _parts(value)
    plane_of, column = np.divmod(line // LINES, side)
    amount = parts[line % LINES]
    changes = np.where(begins, amount, np.where(ends, -amount, 0))
    kept = np.flatnonzero(changes)
    _add(planes, plane_of[kept], column[kept], row[kept], changes[kept])
    np.cumsum(planes, axis=1, dtype=np.uint8, out=planes)


def _parts(value: int) -> Ints:
    """The value shared out among the lines of a column in whole numbers."""
    bounds = np.arange(LINES + 1) * value // LINES
    return np.diff(bounds)


def _add(planes: Bytes, plane: Ints, column: Ints, row: Floats, changes: Ints) -> None:
    """Add changes from a place downwards: a share to the pixel it lies in, the rest to the one below.

    Bytes wrap around on the way, and are right again once all is summed up.
    """
    side = planes.shape[1]
    row = row.clip(0, side)
    pixel = np.minimum(row.astype(np.intp), side - 1)
    below = np.rint((row - pixel) * changes).astype(np.intp)
    np.add.at(planes, (plane, pixel, column), (changes - below).astype(np.uint8))
    more = pixel + 1 < side
    np.add.at(planes, (plane[more], pixel[more] + 1, column[more]), below[more].astype(np.uint8))


def _crossings(edges: NDArray[np.complex128], plane: Ints, side: int) -> tuple[Ints, Floats, Ints]:
    """The line of each crossing, counted over all planes, its row, and the way of the edge, 1 or -1, (K,)."""
    places, rows = edges.real * LINES - 0.5, edges.imag  # line 0 lies at 0
    first = np.ceil(places.min(axis=1)).clip(min=0).astype(np.intp)
    end = np.ceil(places.max(axis=1)).clip(max=side * LINES).astype(np.intp)  # its last point is the next edge's
    edge, offset = repeated((end - first).clip(min=0))
    line = first[edge] + offset
    along = places[:, 1] - places[:, 0]
    slope = (rows[:, 1] - rows[:, 0]) / np.where(along == 0, 1, along)
    row = rows[edge, 0] + (line - places[edge, 0]) * slope[edge]
    return plane[edge] * side * LINES + line, row, np.sign(along[edge]).astype(np.intp)
