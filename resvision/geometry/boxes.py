"""Boxes as plain arrays: their measures, overlaps, and how they move with an image.

Glossary
    M, N    boxes; there may be none
    boxes   (M, 4) float64, x1 y1 x2 y2 in continuous pixels: (0, 0, 1, 1) covers the first pixel alone
    window  (left, top, right, bottom) in the same pixels, such as a crop
"""

import numpy as np
from numpy.typing import NDArray

from resvision.core.resampling import Box

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def sides(boxes: Floats) -> Floats:
    """Width and height of each box, (M, 2); 0 where the corners are in the wrong order."""
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)


def area(boxes: Floats) -> Floats:
    """Area of each box in square pixels, (M,)."""
    width, height = sides(boxes).T
    return np.asarray(width * height)


def centres(boxes: Floats) -> Floats:
    """Centre of each box, (M, 2), x and y."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def intersection(boxes: Floats, others: Floats) -> Floats:
    """Area that each of (M, 4) boxes has in common with each of (N, 4) others, (M, N) square pixels."""
    left, top, right, bottom = (boxes[:, None, side] for side in range(4))
    width = np.minimum(right, others[None, :, 2]) - np.maximum(left, others[None, :, 0])
    height = np.minimum(bottom, others[None, :, 3]) - np.maximum(top, others[None, :, 1])
    return np.asarray(np.maximum(width, 0.0) * np.maximum(height, 0.0))


def iou(boxes: Floats, others: Floats) -> Floats:
    """Intersection over union of every pair, (M, N), 0..1; 0 for two boxes without area."""
    common = intersection(boxes, others)
    return _share(common, area(boxes)[:, None] + area(others)[None, :] - common)


def share_inside(boxes: Floats, others: Floats) -> Floats:
    """Share of the area of each box (M, 4) that lies in each of the others (N, 4), (M, N), 0..1.

    This takes the place of intersection over union where the other is a crowd region. 0 for a box without area.
    """
    return _share(intersection(boxes, others), area(boxes)[:, None])


def visible_share(boxes: Floats, window: Box) -> Floats:
    """Share of the area of each box that lies in a window, (M,), 0..1; 0 for a box without area."""
    return share_inside(boxes, np.array([window], dtype=np.float64))[:, 0]


def centre_inside(boxes: Floats, window: Box) -> Flags:
    """Whether the centre of each box lies in a window, its edges apart, (M,)."""
    middle = centres(boxes)
    return np.asarray(((middle > window[:2]) & (middle < window[2:])).all(axis=1))


def clip(boxes: Floats, window: Box) -> Floats:
    """The boxes cut off at the edges of a window; those outside of it keep no area."""
    left, top, right, bottom = window
    return np.asarray(boxes.clip((left, top, left, top), (right, bottom, right, bottom)))


def moved(boxes: Floats, *, scale_x: float = 1.0, scale_y: float = 1.0, left: float = 0.0, top: float = 0.0) -> Floats:
    """The boxes scaled, then shifted: a point (x, y) becomes (scale_x x + left, scale_y y + top)."""
    return boxes * (scale_x, scale_y, scale_x, scale_y) + (left, top, left, top)


def flipped(boxes: Floats, width: float) -> Floats:
    """The boxes of an image of this width once its left and right are swapped."""
    return np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
