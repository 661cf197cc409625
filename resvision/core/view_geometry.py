"""The place of a view in its image: the way there and back for points, boxes, label maps and other numbers of pixels.

Glossary
    points  (M, 2) float64, x and y in pixels; (0, 0) is the corner of the first pixel, (0.5, 0.5) its centre
    boxes   (M, 4) float64, xyxy in pixels
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core.images import VOID, Pixels

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Geometry:
    """The place of a view in its image: a point (x, y) of the image is (scale_x x + left, scale_y y + top) in the view.

    image_sides, view_sides  height and width in pixels
    """

    image_sides: tuple[int, int]
    view_sides: tuple[int, int]
    scale_x: float = 1.0
    scale_y: float = 1.0
    left: float = 0.0
    top: float = 0.0

    def points_to_view(self, points: Floats) -> Floats:
        """Points of the image as points of the view, (M, 2)."""
        return np.asarray(points) * (self.scale_x, self.scale_y) + (self.left, self.top)

    def points_to_image(self, points: Floats) -> Floats:
        """Points of the view as points of the image, (M, 2); they may lie outside of it."""
        return (np.asarray(points) - (self.left, self.top)) / (self.scale_x, self.scale_y)

    def boxes_to_view(self, boxes: Floats) -> Floats:
        """Boxes of the image as boxes of the view, (M, 4)."""
        return self.points_to_view(np.reshape(boxes, (-1, 2))).reshape(-1, 4)

    def boxes_to_image(self, boxes: Floats) -> Floats:
        """Boxes of the view as boxes of the image, (M, 4), cut off at its edges."""
        height, width = self.image_sides
        corners = self.points_to_image(np.reshape(boxes, (-1, 2)))
        return np.asarray(corners.clip(0, (width, height)).reshape(-1, 4))

    def resized(self, height: int, width: int) -> "Geometry":
        """The place of the view in the image once that is resized to these sides."""
        high, wide = self.image_sides
        scale_y, scale_x = self.scale_y * high / height, self.scale_x * wide / width
        return replace(self, image_sides=(height, width), scale_x=scale_x, scale_y=scale_y)

    def values_to_image(self, values: NDArray[Any]) -> Floats:
        """Numbers of the view's pixels, (h, w), brought back to the image, (H, W), bilinearly.

        Pixels that the view does not show are NaN.
        """
        height, width = self.image_sides
        rows = np.asarray((np.arange(height) + 0.5) * self.scale_y + self.top, dtype=np.float64)
        columns = np.asarray((np.arange(width) + 0.5) * self.scale_x + self.left, dtype=np.float64)
        is_shown = ((rows >= 0) & (rows < values.shape[0]))[:, None] & ((columns >= 0) & (columns < values.shape[1]))
        by_rows = _interpolated(np.asarray(values, dtype=np.float64), rows)
        spread = _interpolated(by_rows.T, columns).T
        return np.where(is_shown, spread, np.nan)

    def map_to_view(self, labels: Pixels) -> Pixels:
        """A label map of the image, (H, W), as the view shows it, (h, w): each pixel takes the label at its centre.

        Pixels of the view outside the image are VOID.
        """
        (height, width), (high, wide) = self.image_sides, self.view_sides
        if self == Geometry(self.image_sides, self.image_sides):
            return labels
        rows = np.floor((np.arange(high) + 0.5 - self.top) / self.scale_y).astype(np.int64)
        columns = np.floor((np.arange(wide) + 0.5 - self.left) / self.scale_x).astype(np.int64)
        is_inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
        nearest = labels[rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)]
        return np.where(is_inside, nearest, np.uint8(VOID))

    def map_to_image(self, labels: Pixels) -> Pixels:
        """A label map of the view, (h, w), brought back to the image, (H, W): each pixel takes the label at its centre.

        Pixels that the view does not show are VOID.
        """
        if self.image_sides == self.view_sides and self == Geometry(self.image_sides, self.view_sides):
            return labels
        height, width = self.image_sides
        rows = np.floor((np.arange(height) + 0.5) * self.scale_y + self.top).astype(np.int64)
        columns = np.floor((np.arange(width) + 0.5) * self.scale_x + self.left).astype(np.int64)
        is_shown = ((rows >= 0) & (rows < labels.shape[0]))[:, None] & ((columns >= 0) & (columns < labels.shape[1]))
        nearest = labels[rows.clip(0, labels.shape[0] - 1)[:, None], columns.clip(0, labels.shape[1] - 1)]
        return np.where(is_shown, nearest, np.uint8(VOID))


def _interpolated(values: Floats, positions: Floats) -> Floats:
    """Rows between those of `values`, whose centres lie at 0.5, 1.5, ...; beyond the first and last centre, these."""
    centres = (positions - 0.5).clip(0, len(values) - 1)
    before = np.floor(centres).astype(np.int64)
    after = (before + 1).clip(max=len(values) - 1)
    share = (centres - before)[:, None]
    return np.asarray((1 - share) * values[before] + share * values[after])
