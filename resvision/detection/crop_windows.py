"""Parts of an image that a detector is trained on, from counted draws.

Glossary
    canvas, window  (left, top, right, bottom) in pixels of the image, fractions allowed; a canvas may be larger than it
    boxes           (M, 4) float64, the objects of the image
    draws           float64 in [0, 1)
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resvision.core.resampling import Box
from resvision.geometry.boxes import Floats, centres, iou, moved
from resvision.geometry.placements import Area, Placement

Draws = NDArray[np.float64]

TRIES = 50
"""The crops that are tried for an overlap, as in SSD's code."""

OVERLAP_SLOTS = 1 + 4 * TRIES
"""The draws of `overlap_window`: which sampler, then scale, ratio, left and top of each try."""


def expanded(height: int, width: int, largest: float, draws: Draws) -> Box:
    """A canvas of 1..`largest` times the sides of an image, which lies at a random place in it; three draws.

    This zooms out (Liu et al. 2016, arXiv:1512.02325, section 3.6).
    """
    factor = 1 + (largest - 1) * float(draws[0])
    left, top = (float(draw) * (factor - 1) * side for draw, side in zip(draws[1:3], (width, height), strict=True))
    return -left, -top, factor * width - left, factor * height - top


def overlap_window(
    canvas: Box,
    boxes: Floats,
    *,
    overlaps: Sequence[float],
    scale: tuple[float, float],
    ratio: tuple[float, float],
    draws: Draws,
) -> Box:
    """A part of the canvas by one of the samplers of Liu et al. 2016, section 2.2, from OVERLAP_SLOTS draws.

    The samplers are the whole canvas, a free crop, and for each of `overlaps` the first crop of 50 whose intersection
    over union with an object is no less. One is drawn among those that have a crop, as in the authors' code. There each
    sampler has fifty crops of its own, while here all share fifty; and there a crop may miss all objects, while here
    it holds the centre of one, if there are any.

    scale, ratio  smallest and largest of a crop: `scale sqrt(ratio)` of the canvas's width by `scale / sqrt(ratio)` of
                  its height, the ratio kept to what fits
    """
    tries = _tries(canvas, scale, ratio, draws[1:OVERLAP_SLOTS].reshape(TRIES, 4))
    if len(boxes):
        tries = tries[_hold_a_centre(tries, boxes)]
    largest = iou(tries, boxes).max(axis=1, initial=0.0)
    firsts = [np.flatnonzero(largest >= overlap)[:1] for overlap in (0.0, *overlaps)]
    windows = np.concatenate([np.array([canvas]), *(tries[first] for first in firsts)])
    left, top, right, bottom = windows[int(float(draws[0]) * len(windows))].tolist()
    return left, top, right, bottom


def _tries(canvas: Box, scale: tuple[float, float], ratio: tuple[float, float], draws: Draws) -> Floats:
    """Crops of the canvas, (TRIES, 4), from draws (TRIES, 4)."""
    share = scale[0] + (scale[1] - scale[0]) * draws[:, 0]
    shape = (ratio[0] + (ratio[1] - ratio[0]) * draws[:, 1]).clip(share**2, share**-2)
    sides = np.stack([share * np.sqrt(shape), share / np.sqrt(shape)], axis=1)
    corners = draws[:, 2:] * (1 - sides)
    left, top, right, bottom = canvas
    return moved(
        np.concatenate([corners, corners + sides], axis=1),
        scale_x=right - left,
        scale_y=bottom - top,
        left=left,
        top=top,
    )


def _hold_a_centre(windows: Floats, boxes: Floats) -> NDArray[np.bool_]:
    """Whether each window holds the centre of at least one box."""
    middle = centres(boxes)
    is_inside = (middle > windows[:, None, :2]) & (middle < windows[:, None, 2:])
    return np.asarray((is_inside[..., 0] & is_inside[..., 1]).any(axis=1))


def jittered(canvas: Box, scales: tuple[float, float], factor: float, area: Area, draws: Draws) -> Placement:
    """The placement of a canvas at `factor` times `scales` (x, y) in an area, at a random place, from two draws.

    Where the canvas is larger than the area, a part of it is shown, and where it is smaller, all of it.
    """
    left, top, right, bottom = canvas
    scale_x, scale_y = factor * scales[0], factor * scales[1]
    x = area[0] + _start(area[2] - area[0] - round(scale_x * (right - left)), draws[0])
    y = area[1] + _start(area[3] - area[1] - round(scale_y * (bottom - top)), draws[1])
    return Placement(scale_x, scale_y, x - scale_x * left, y - scale_y * top, area)


def _start(room: int, draw: float) -> int:
    """A whole number between 0 and `room`, which may be negative, both included, all equally likely."""
    start = int(float(draw) * (abs(room) + 1))
    return start if room >= 0 else -start
