"""Boxes painted into planes of pixels, anti-aliased, all of them together.

A pixel takes the largest value that any box gives it, so the order of the boxes changes nothing. A box gives its value
times the share of the pixel that it covers, taken as the product of two shares: of the strip between its ends and of
the strip between its sides. At an edge the share rises over the width of one pixel.

A box is cut into runs: short stretches of pixels across it, one for each row of a box that stands and for each column
of a box that lies. Runs of one length are computed together.

Glossary
    B  boxes
    K  runs of one length
    L  pixels of such a run
    p, q  places along a run, and from one run of a box to the next: column and row, or row and column
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.motion.scenes import Floats

Ints = NDArray[np.intp]
Bytes = NDArray[np.uint8]
Singles = NDArray[np.float32]

ROUNDING = 0.499
"""Added to values before fractions are cut off, so that a fully covered pixel has its value, and none has more."""


class Boxes(NamedTuple):
    """Turned rectangles in pixels: columns to the right, rows downwards, the corner of the first pixel at 0, 0.

    centres     (B,) complex, the column and i times the row
    directions  (B,) complex, of length 1, the direction of the longer side
    lengths     (B,) half the longer side
    widths      (B,) half the other side
    values      (B,) 0..255
    planes      (B,) the plane that each is painted into
    """

    centres: NDArray[np.complex128]
    directions: NDArray[np.complex128]
    lengths: Floats
    widths: Floats
    values: Floats
    planes: Ints

    def chosen(self, which: NDArray[np.bool_] | Ints) -> "Boxes":
        """The boxes at these positions."""
        centres, directions, lengths, widths, values, planes = self
        return Boxes(centres[which], directions[which], lengths[which], widths[which], values[which], planes[which])


def joined(parts: Sequence[Boxes]) -> Boxes:
    """All boxes of the parts."""
    centres, directions, lengths, widths, values, planes = map(np.concatenate, zip(*parts, strict=True))
    return Boxes(centres, directions, lengths, widths, values, planes)


def paint(canvas: Bytes, boxes: Boxes) -> None:
    """Paint boxes into planes (planes, side, side), contiguous in memory."""
    side = canvas.shape[1]
    boxes = boxes.chosen(_within(boxes, side))
    steep = np.maximum(np.abs(boxes.directions.real), np.abs(boxes.directions.imag))
    pixels = np.floor((2 * boxes.widths + 1) / steep) + 1
    sizes = 2 ** np.ceil(np.log2(pixels))  # few lengths, so that there are few calls
    for size in np.unique(sizes):
        _paint_runs(canvas, boxes.chosen(sizes == size), min(int(size), side))


def _within(boxes: Boxes, side: int) -> NDArray[np.bool_]:
    """Whether a box may touch the planes."""
    reach = boxes.lengths + boxes.widths + 1
    column, row = boxes.centres.real, boxes.centres.imag
    return np.asarray(np.maximum(np.abs(column - side / 2), np.abs(row - side / 2)) < side / 2 + reach)


def _paint_runs(canvas: Bytes, boxes: Boxes, run: int) -> None:
    """Paint boxes that are at most `run` pixels wide, each way across."""
    side = canvas.shape[1]
    lying = np.abs(boxes.directions.real) > np.abs(boxes.directions.imag)
    centres = np.where(lying, boxes.centres.imag + 1j * boxes.centres.real, boxes.centres)
    directions = np.where(lying, boxes.directions.imag + 1j * boxes.directions.real, boxes.directions)
    reach = (boxes.lengths + 0.5) * np.abs(directions.imag) + (boxes.widths + 0.5) * np.abs(directions.real)
    first = np.ceil(centres.imag - reach - 0.5).clip(min=0).astype(np.intp)
    last = np.floor(centres.imag + reach - 0.5).clip(max=side - 1).astype(np.intp)
    box, q = repeated(first, (last - first + 1).clip(min=0))
    if len(box) == 0:
        return
    numbers = np.array([
        centres.real, centres.imag, directions.real, directions.imag, directions.real / directions.imag,
        (boxes.widths + 0.5) / np.abs(directions.imag) + 0.5, boxes.lengths, boxes.widths, boxes.values + ROUNDING,
    ], np.float32)  # fmt: skip
    middle_p, middle_q, cosine, sine, slope, half, length, width, value = numbers.take(box, axis=1)
    down = q.astype(np.float32) + np.float32(0.5) - middle_q
    # A run that begins beyond the plane is moved into it: it then shows other pixels, each with its own share.
    start = np.ceil(middle_p + slope * down - half).clip(0, side - run)
    right = start + (np.float32(0.5) - middle_p)
    shares = _strip(right * cosine + down * sine, cosine, length, run)
    shares *= _strip(down * cosine - right * sine, -sine, width, run)
    shares *= value
    whole = np.array([boxes.planes * side**2, np.where(lying, side, 1), np.where(lying, 1, side)])
    begin, along, across = whole.take(box, axis=1)
    places = begin + q * across + start.astype(np.intp) * along
    places = places + np.arange(run)[:, None] * along
    np.maximum.at(canvas.reshape(-1), places.ravel(), shares.astype(np.uint8).ravel())


def _strip(distance: Singles, step: Singles, half: Singles, run: int) -> Singles:
    """The share of the pixels of runs (L, K) that a strip covers.

    distance  (K,) of the first pixel from the middle of the strip
    step      (K,) by which it grows from pixel to pixel
    half      (K,) half the width of the strip
    """
    shares = np.arange(run, dtype=np.float32)[:, None] * step
    shares += distance
    np.abs(shares, out=shares)
    np.subtract(half + np.float32(0.5), shares, out=shares)
    # A strip narrower than a pixel covers at most its own width of it.
    np.minimum(shares, np.minimum(1, 2 * half), out=shares)
    return np.asarray(np.maximum(shares, 0, out=shares))


def repeated(first: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Each position as often as its count says, and whole numbers from `first` of the position on, (K,) each."""
    position = np.repeat(np.arange(len(counts)), counts)
    begins = np.cumsum(counts) - counts
    return position, np.arange(len(position)) + np.repeat(first - begins, counts)
