"""The place of an image, or of a part of it, in a square: its pixels drawn there, and its boxes moved there.

However many changes decide on a place, the image is resampled once.

Glossary
    image   (H, W, C) uint8
    square  (S, S, C) uint8
    boxes   (M, 4) float64, x1 y1 x2 y2 in pixels
    window  (left, top, right, bottom) in pixels of the image, fractions allowed; it may reach beyond the image
    area    (left, top, right, bottom), whole pixels of the square
"""

from math import ceil, floor
from typing import NamedTuple

from resvision.core.images import Pixels
from resvision.core.resampling import Box, Interpolation, resample
from resvision.geometry.boxes import Floats, moved

Area = tuple[int, int, int, int]

_ROUNDING = 1e-6
"""The part of a pixel by which sums of fractions may miss a whole one."""


_REACH = 2
"""The pixels to either side that the widest filter, the bicubic one, reads; as many times more where it shrinks."""


class Placement(NamedTuple):
    """The place of an image in a square: a point (x, y) of the image is (scale_x x + left, scale_y y + top) there.

    area  the part of the square in which the image is shown; it is cut off elsewhere
    """

    scale_x: float
    scale_y: float
    left: float
    top: float
    area: Area

    def boxes(self, boxes: Floats) -> Floats:
        """Boxes of the image as boxes of the square, not cut off, (M, 4)."""
        return moved(boxes, scale_x=self.scale_x, scale_y=self.scale_y, left=self.left, top=self.top)

    def visible(self, height: int, width: int) -> Area:
        """The pixels of the square that show nothing but an image of these sides; empty where the image is outside."""
        left, top, right, bottom = self.area
        return (
            max(left, ceil(self.left - _ROUNDING)),
            max(top, ceil(self.top - _ROUNDING)),
            min(right, floor(self.left + self.scale_x * width + _ROUNDING)),
            min(bottom, floor(self.top + self.scale_y * height + _ROUNDING)),
        )

    def pixels(self, image: Pixels, interpolation: Interpolation) -> tuple[Area, Pixels]:
        """The area that `visible` says, and what it shows of an image, (height, width, C); it may be empty."""
        height, width = image.shape[:2]
        left, top, right, bottom = area = self.visible(height, width)
        if left >= right or top >= bottom:
            return (0, 0, 0, 0), image[:0, :0]
        window = self._window(area, height, width)
        image, window = _neighbourhood(image, window, bottom - top, right - left)
        return area, resample(image, bottom - top, right - left, interpolation, window)

    def _window(self, area: Area, height: int, width: int) -> Box:
        """The part of an image of these sides that is shown in an area."""
        left, top, right, bottom = area
        return (
            max(0.0, (left - self.left) / self.scale_x),
            max(0.0, (top - self.top) / self.scale_y),
            min(float(width), (right - self.left) / self.scale_x),
            min(float(height), (bottom - self.top) / self.scale_y),
        )


def whole_area(side_px: int) -> Area:
    """All of a square."""
    return 0, 0, side_px, side_px


def stretched(window: Box, side_px: int) -> Placement:
    """The placement in which a window fills the square, whatever its proportions."""
    left, top, right, bottom = window
    scale_x, scale_y = side_px / (right - left), side_px / (bottom - top)
    return Placement(scale_x, scale_y, -scale_x * left, -scale_y * top, whole_area(side_px))


def letterboxed(window: Box, side_px: int) -> Placement:
    """The placement in which a window lies in the middle of the square in its own proportions, in whole pixels."""
    left, top, right, bottom = window
    wide, high = right - left, bottom - top
    scale = side_px / max(wide, high)
    inner_wide, inner_high = max(1, round(scale * wide)), max(1, round(scale * high))
    x, y = (side_px - inner_wide) // 2, (side_px - inner_high) // 2
    scale_x, scale_y = inner_wide / wide, inner_high / high
    return Placement(scale_x, scale_y, x - scale_x * left, y - scale_y * top, (x, y, x + inner_wide, y + inner_high))


def _neighbourhood(image: Pixels, window: Box, high: int, wide: int) -> tuple[Pixels, Box]:
    """The part of an image that resampling a window to these sides reads, and the window in it.

    Of a large image the rest need not be copied for Pillow.
    """
    left, top, right, bottom = window
    x, y = _REACH * max(1.0, (right - left) / wide) + 1, _REACH * max(1.0, (bottom - top) / high) + 1
    first_x, first_y = max(0, floor(left - x)), max(0, floor(top - y))
    part = image[first_y : ceil(bottom + y), first_x : ceil(right + x)]
    return part, (left - first_x, top - first_y, right - first_x, bottom - first_y)
