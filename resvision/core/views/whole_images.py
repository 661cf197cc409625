"""Views that show the whole of an image: at its size, by its shorter or longer side, or letterboxed."""

from dataclasses import dataclass, replace
from math import floor
from typing import Literal

import numpy as np

from resvision.core.images import Pixels
from resvision.core.resampling import as_channels, resized_sides
from resvision.core.view_geometry import Geometry
from resvision.core.views.base import LARGEST_PX, BaseView, Shown


@dataclass(frozen=True, kw_only=True)
class Whole(BaseView):
    """The whole image at its own size."""

    kind: Literal["whole"] = "whole"

    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """Both sides stay."""
        return height, width

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The image as (H, W, channels)."""
        return Shown(as_channels(image, self.channels, name=name, grey=grey), self.geometry(*image.shape[:2]))


@dataclass(frozen=True, kw_only=True)
class ShorterSide(BaseView):
    """The whole image resized: its shorter side becomes `shorter_px`, or less where the longer would pass `longest_px`.

    torchvision's detectors take it (800 and 1333); its segmentation nets take it without `longest_px` (520).
    """

    shorter_px: int
    longest_px: int | None = None
    kind: Literal["shorter-side"] = "shorter-side"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.shorter_px <= (self.longest_px or LARGEST_PX) <= LARGEST_PX:
            raise ValueError(
                f"1 <= shorter_px <= longest_px <= {LARGEST_PX} must hold, got {self.shorter_px}, {self.longest_px}"
            )

    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """Fractions of pixels are cut off, as torchvision does; where `longest_px` decides they are rounded.

        With `bilinear-aliased`, the way of torchvision's detectors, they are always cut off.
        """
        sides = resized_sides(height, width, self.shorter_px)
        if self.longest_px is None:
            return sides
        if self.interpolation == "bilinear-aliased":
            scale = min(self.shorter_px / min(height, width), self.longest_px / max(height, width))
            # A fraction just below a whole number costs a pixel here, as it does there.
            return max(1, floor(scale * height)), max(1, floor(scale * width))
        return sides if max(sides) <= self.longest_px else _scaled(height, width, self.longest_px)


@dataclass(frozen=True, kw_only=True)
class LongerSide(BaseView):
    """The whole image, resized so that its longer side is `longer_px`."""

    longer_px: int
    kind: Literal["longer-side"] = "longer-side"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.longer_px <= LARGEST_PX:
            raise ValueError(f"longer_px must be 1..{LARGEST_PX}, got {self.longer_px}")

    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """The longer side is longer_px, the other in proportion to the pixel."""
        return _scaled(height, width, self.longer_px)


@dataclass(frozen=True, kw_only=True)
class Letterbox(BaseView):
    """The whole image in its own proportions in the middle of a square of `size_px`, `fill` (0..255) around it."""

    size_px: int
    fill: int = 114
    kind: Literal["letterbox"] = "letterbox"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.size_px <= LARGEST_PX:
            raise ValueError(f"size_px must be 1..{LARGEST_PX}, got {self.size_px}")
        if not 0 <= self.fill <= 255:
            raise ValueError(f"fill must be a grey level of 0..255, got {self.fill}")

    @property
    def side_px(self) -> int:
        """The side of the square."""
        return self.size_px

    def sized(self, size_px: int) -> "Letterbox":
        """The view at a square of `size_px`."""
        return replace(self, size_px=size_px)

    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """The longer side is size_px, the other in proportion to the pixel."""
        return _scaled(height, width, self.size_px)

    def geometry(self, height: int, width: int) -> Geometry:
        """The place of the square in an image of these sides."""
        whole, side = super().geometry(height, width), self.size_px
        high, wide = whole.view_sides
        return replace(whole, view_sides=(side, side), left=(side - wide) // 2, top=(side - high) // 2)

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The square, (size_px, size_px, channels)."""
        inner = self.resized(image, name=name, grey=grey)
        geometry = self.geometry(*image.shape[:2])
        top, left = int(geometry.top), int(geometry.left)
        square = np.full((self.size_px, self.size_px, self.channels), self.fill, dtype=np.uint8)
        square[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return Shown(square, geometry)


def _scaled(height: int, width: int, longer_px: int) -> tuple[int, int]:
    """Height and width once the longer side has `longer_px`; the other is rounded to whole pixels, one at least."""
    scale = longer_px / max(height, width)
    return max(1, round(scale * height)), max(1, round(scale * width))
