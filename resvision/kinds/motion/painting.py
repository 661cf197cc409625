"""Boxes painted into planes of pixels, anti-aliased, many in one go.

A pixel takes the largest value that any box gives it, so the order of the boxes changes nothing. Within a box it is the
box's value times the covered share of the pixel, which is taken as the product of two shares, one for the strip between
front and back and one for the strip between the sides, each rising over the width of a pixel.

Boxes are cut into runs: stretches of a row of pixels, all of one length, that are computed together.

Glossary
    B  boxes
    K  runs
    L  pixels of a run
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.motion.scenes import Floats

Ints = NDArray[np.intp]
Bytes = NDArray[np.uint8]
Singles = NDArray[np.float32]


class Boxes(NamedTuple):
    """Turned rectangles in pixels: columns to the right, rows downwards, the first pixel's corner at 0, 0.

    columns, rows      (B,) the centres
    cosines, sines     (B,) the direction of the length: cosines along the columns, sines along the rows
    lengths, widths    (B,) halves of the sides
    values             (B,) 0..255
    planes             (B,) the plane that each is painted into
    """

    columns: Floats
    rows: Floats
    cosines: Floats
    sines: Floats
    lengths: Floats
    widths: Floats
    values: Floats
    planes: Ints


def paint(canvas: Bytes, boxes: Boxes, run: int = 8) -> None:
    """Paint boxes into planes (planes, side, side); `run` pixels are computed together, about the usual width."""
    side = canvas.shape[1]
    run = min(run, side)
    box, row, start = _runs(boxes, side, run)
    if len(box):
        shares = _shares(boxes, box, row, start, run)
        first = (boxes.planes[box] * side + row) * side + start
        np.maximum.at(canvas.reshape(-1), (first + np.arange(run)[:, None]).ravel(), shares.ravel())


def _runs(boxes: Boxes, side: int, run: int) -> tuple[Ints, Ints, Ints]:
    """The runs that cover the boxes within the planes: box, row and first column of each, (K,)."""
    lengths, widths = boxes.lengths + 0.5, boxes.widths + 0.5
    reach = lengths * np.abs(boxes.sines) + widths * np.abs(boxes.cosines)
    top = np.ceil(boxes.rows - reach - 0.5).clip(min=0).astype(np.intp)
    bottom = np.floor(boxes.rows + reach - 0.5).clip(max=side - 1).astype(np.intp)
    box, offset = repeated((bottom - top + 1).clip(min=0))
    row = top[box] + offset
    left, right = _chords(boxes, lengths, widths, box, row)
    begin = np.ceil(left - 0.5).clip(min=0).astype(np.intp)
    end = np.floor(right - 0.5).clip(max=side - 1).astype(np.intp)
    of, offset = repeated((end - begin + run) // run * (end >= begin))
    # A run that would leave the plane begins earlier: it covers some pixels twice, which changes nothing.
    return box[of], row[of], np.minimum(begin[of] + run * offset, side - run)


def repeated(counts: Ints) -> tuple[Ints, Ints]:
    """Each position as often as its count says, and the number of each repetition from 0."""
    position = np.repeat(np.arange(len(counts)), counts)
    begins = np.cumsum(counts) - counts
    return position, np.arange(len(position)) - begins[position]


def _chords(boxes: Boxes, lengths: Floats, widths: Floats, box: Ints, row: Ints) -> tuple[Floats, Floats]:
    """The columns between which a row of pixel centres crosses boxes of these half sides, (K,) each."""
    down = row + 0.5 - boxes.rows[box]
    cosine, sine = boxes.cosines[box], boxes.sines[box]
    left, right = np.full(len(box), -np.inf), np.full(len(box), np.inf)
    for along, across, half in ((cosine, sine * down, lengths[box]), (-sine, cosine * down, widths[box])):
        # |along * x + across| <= half; a row that runs along a strip crosses all of it.
        crossing = np.abs(along) > 1e-9
        slope = np.where(crossing, along, 1.0)
        middle, reach = -across / slope, half / np.abs(slope)
        left = np.where(crossing, np.maximum(left, middle - reach), left)
        right = np.where(crossing, np.minimum(right, middle + reach), right)
    centre = boxes.columns[box]
    return centre + left, centre + right


def _shares(boxes: Boxes, box: Ints, row: Ints, start: Ints, run: int) -> Bytes:
    """The values of the pixels of runs, (L, K): a box's own times the covered share."""
    down, right = row + 0.5 - boxes.rows[box], start + 0.5 - boxes.columns[box]
    cosine, sine = boxes.cosines[box], boxes.sines[box]
    steps = np.arange(run, dtype=np.float32)[:, None]
    shares = boxes.values[box].astype(np.float32) * np.ones((run, 1), np.float32)
    for along, across, half in ((cosine, sine * down, boxes.lengths[box]), (-sine, cosine * down, boxes.widths[box])):
        distance = steps * along.astype(np.float32) + (along * right + across).astype(np.float32)
        share = (half + 0.5).astype(np.float32) - np.abs(distance, out=distance)
        # A strip narrower than a pixel covers at most its own width of it.
        share = np.minimum(share, np.minimum(1.0, 2 * half).astype(np.float32), out=share)
        shares *= np.maximum(share, 0, out=share)
    shares += 0.5
    return shares.astype(np.uint8)
