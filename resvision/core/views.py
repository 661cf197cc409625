"""Views: the way from an image to the input of a net; `core.view_geometry` leads back.

Training's evaluation, prediction, bundle and server all come through `View.show`, so they see the same pixels. A view
is data: it is stored in the run, and its field `kind` says which one of the union it is.

Glossary
    image   (H, W) grey or (H, W, C), uint8, as stored and oriented
    pixels  (h, w, channels), uint8, the input of a net, not yet normalized
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import floor, isfinite
from typing import Literal, NamedTuple, Self

import numpy as np

from resvision.core.errors import DataError, printable
from resvision.core.images import PIXEL_LIMIT, Pixels
from resvision.core.resampling import INTERPOLATIONS, Interpolation, as_channels, centre_crop, resample, resized_sides
from resvision.core.view_geometry import Geometry

LARGEST_PX = 8192
LEAST_STD = 1e-4
"""The least standard deviation of normalization; by less, numbers grow beyond what a net can take."""


class Shown(NamedTuple):
    """The view of one image: the net's pixels, (h, w, channels) uint8, and their place in the image."""

    pixels: Pixels
    geometry: Geometry


@dataclass(frozen=True, kw_only=True)
class _View(ABC):
    """The settings and methods of all views. Abstract.

    channels       1 grey, 3 RGB; other numbers for images that have as many
    interpolation  bilinear | bicubic, both antialiased | bilinear-aliased, as torchvision's detectors resize
    mean, std      per channel in units of 0..1; systems normalize by (pixels / 255 - mean) / std
    """

    channels: int
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ValueError(f"channels must be at least 1, got {self.channels}")
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {self.interpolation!r}")
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError(f"mean and std need one number for each of {self.channels} channels")
        if not all(0 <= mean <= 1 for mean in self.mean):
            raise ValueError(f"mean must lie in 0..1, got {self.mean}")
        if not all(isfinite(std) and std >= LEAST_STD for std in self.std):
            raise ValueError(f"std must be above 0, {LEAST_STD} at least, got {self.std}")

    @property
    def side_px(self) -> int | None:
        """Side of the square that every image becomes; None where images become of different sizes."""
        return None

    @abstractmethod
    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of an image of these sides once it is resized, before it is cut or filled up."""

    def geometry(self, height: int, width: int) -> Geometry:
        """The place of the view in an image of these sides, which is not read."""
        high, wide = self.resized_sides(height, width)
        return Geometry((height, width), (high, wide), scale_x=wide / width, scale_y=high / height)

    @abstractmethod
    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The net's pixels of an image, and their place in it.

        Raises DataError, with the image's `name`, for colour where the net takes grey, unless `grey` converts it, and
        for an image so long and thin that it would pass PIXEL_LIMIT once resized.
        """

    def sized(self, size_px: int) -> Self:
        """The view at squares of `size_px`; itself where it gives no squares."""
        return self

    def coloured(self, channels: int) -> Self:
        """The view for images of `channels`: mean and std repeated for RGB, weighted as luma for grey.

        Raises ValueError for other numbers than 1 and 3 that are not the view's own.
        """
        if channels == self.channels:
            return self
        if channels == 3 and self.channels == 1:
            return replace(self, channels=3, mean=self.mean * 3, std=self.std * 3)
        if channels != 1 or self.channels != 3:
            raise ValueError(f"channels must be 1 (grey) or 3 (RGB), got {channels} for images of {self.channels}")
        luma = np.array([0.299, 0.587, 0.114])
        mean, std = (round(float(luma @ np.array(values)), 4) for values in (self.mean, self.std))
        return replace(self, channels=1, mean=(mean,), std=(std,))

    def _resized(self, image: Pixels, height: int, width: int, *, name: str) -> Pixels:
        """The image resampled; DataError where it would pass PIXEL_LIMIT."""
        if height * width > PIXEL_LIMIT:
            raise DataError(
                f"{printable(name)}: {image.shape[1]:,} x {image.shape[0]:,} pixels are too long and thin to become"
                f" {width:,} x {height:,}"
            )
        return resample(image, height, width, self.interpolation)


@dataclass(frozen=True, kw_only=True)
class _Square(_View):
    """Views that resize an image and keep the square in its centre. Abstract.

    resize_px  pixels of the resized side
    crop_px    side of the square that is kept, at most resize_px
    """

    resize_px: int
    crop_px: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.crop_px <= self.resize_px <= LARGEST_PX:
            raise ValueError(
                f"1 <= crop_px <= resize_px <= {LARGEST_PX} must hold, got crop_px {self.crop_px}, resize_px"
                f" {self.resize_px}"
            )

    @property
    def side_px(self) -> int:
        """The side of the square."""
        return self.crop_px

    def resized(self, image: Pixels, *, name: str, grey: bool = False) -> Pixels:
        """The whole image as it is before its centre is kept, (H, W, channels) uint8. Raises as `show` does."""
        image = as_channels(image, self.channels, name=name, grey=grey)
        return self._resized(image, *self.resized_sides(*image.shape[:2]), name=name)

    def geometry(self, height: int, width: int) -> Geometry:
        """The place of the square in an image of these sides."""
        whole, side = super().geometry(height, width), self.crop_px
        high, wide = whole.view_sides
        return replace(whole, view_sides=(side, side), left=-round((wide - side) / 2), top=-round((high - side) / 2))

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The square in the centre of the resized image, (crop_px, crop_px, channels)."""
        square = centre_crop(self.resized(image, name=name, grey=grey), self.crop_px)
        return Shown(square, self.geometry(*image.shape[:2]))


@dataclass(frozen=True, kw_only=True)
class Stretch(_Square):
    """Both sides become `resize_px`, whatever the proportions; the centre square of `crop_px` is kept."""

    kind: Literal["stretch"] = "stretch"

    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """Both sides are resize_px."""
        return self.resize_px, self.resize_px

    def sized(self, size_px: int) -> "Stretch":
        """The view at squares of `size_px`, without a margin around them."""
        return self if size_px == self.crop_px else replace(self, resize_px=size_px, crop_px=size_px)


@dataclass(frozen=True, kw_only=True)
class CentreCrop(_Square):
    """The shorter side becomes `resize_px`, the other in proportion; the centre square of `crop_px` is kept.

    torchvision's classifiers are evaluated with this view.
    """

    kind: Literal["centre-crop"] = "centre-crop"

    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """The shorter side is resize_px; the other is cut down to whole pixels."""
        return resized_sides(height, width, self.resize_px)

    def sized(self, size_px: int) -> "CentreCrop":
        """The view at squares of `size_px`, with the margin of 256 to 224."""
        if size_px == self.crop_px:
            return self
        return replace(self, resize_px=round(size_px * 256 / 224), crop_px=size_px)


@dataclass(frozen=True, kw_only=True)
class Whole(_View):
    """The whole image at its own size."""

    kind: Literal["whole"] = "whole"

    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """Both sides stay."""
        return height, width

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The image as (H, W, channels)."""
        return Shown(as_channels(image, self.channels, name=name, grey=grey), self.geometry(*image.shape[:2]))


@dataclass(frozen=True, kw_only=True)
class ShorterSide(_View):
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

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The image as (h, w, channels)."""
        return _resized_whole(self, image, name=name, grey=grey)


@dataclass(frozen=True, kw_only=True)
class LongerSide(_View):
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

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The image as (h, w, channels)."""
        return _resized_whole(self, image, name=name, grey=grey)


@dataclass(frozen=True, kw_only=True)
class Letterbox(_View):
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
        inner = _resized_whole(self, image, name=name, grey=grey).pixels
        geometry = self.geometry(*image.shape[:2])
        top, left = int(geometry.top), int(geometry.left)
        square = np.full((self.size_px, self.size_px, self.channels), self.fill, dtype=np.uint8)
        square[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        return Shown(square, geometry)


@dataclass(frozen=True, kw_only=True)
class Raster(_View):
    """Traffic drawn from above at the size that the net takes, so that nothing is resized.

    The agent stands in the middle between left and right, looks to the top, and has the share `ahead` of the square in
    front of it.

    size_px        side of the square
    metres_per_px  length of a pixel's side
    ahead          share of the square's height that lies in front of the agent, 0..1
    past           fading: the past in colours that fade with age, 3 channels
                   channels: a channel for each drawn frame of the others and as many of the agent, the latest first,
                   and 3 of the map: 2 (history + 1) + 3
    history        frames before the last observed one that are drawn
    every          frames from one drawn one to the next
    """

    size_px: int
    metres_per_px: float = 0.5
    ahead: float = 0.75
    past: Literal["fading", "channels"] = "fading"
    history: int = 20
    every: int = 1
    kind: Literal["raster"] = "raster"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.size_px <= LARGEST_PX:
            raise ValueError(f"size_px must lie in 1..{LARGEST_PX}, got {self.size_px}")
        if not (isfinite(self.metres_per_px) and self.metres_per_px > 0):
            raise ValueError(f"metres_per_px must be above 0, got {self.metres_per_px}")
        if not 0 <= self.ahead <= 1:
            raise ValueError(f"ahead must be a share of 0..1, got {self.ahead}")
        if self.history < 0 or self.every < 1:
            raise ValueError(f"history must be at least 0 and every 1, got {self.history} and {self.every}")
        if self.channels != self.drawn_channels(self.past, self.history):
            raise ValueError(
                f"{self.past} of {self.history} frames has {self.drawn_channels(self.past, self.history)} channels,"
                f" got {self.channels}"
            )

    @staticmethod
    def drawn_channels(past: Literal["fading", "channels"], history: int) -> int:
        """The number of channels of a raster: 3, or 3 of the map and 2 for each of `history` + 1 frames."""
        return 3 if past == "fading" else 3 + 2 * (history + 1)

    @property
    def side_px(self) -> int:
        """Side of the square."""
        return self.size_px

    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """Both sides stay."""
        return height, width

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The raster as it was drawn; DataError for an image of another size or other channels."""
        if image.shape != (self.size_px, self.size_px, self.channels):
            raise DataError(
                f"{printable(name)}: a raster of {self.size_px} x {self.size_px} pixels in {self.channels} channels is"
                " due, and no image; give recorded tracks"
            )
        return Shown(image, self.geometry(self.size_px, self.size_px))

    def sized(self, size_px: int) -> "Raster":
        """The same stretch of the world at squares of `size_px`: pixels become smaller or larger."""
        return replace(self, size_px=size_px, metres_per_px=self.metres_per_px * self.size_px / size_px)

    def coloured(self, channels: int) -> "Raster":
        """Itself; ValueError for other channels, which follow from how the past is drawn."""
        if channels != self.channels:
            raise ValueError(
                f"a raster has the channels of its past, {self.channels} here, and not {channels}; data.drawn_past and"
                " data.history_seconds change them"
            )
        return self


View = Stretch | CentreCrop | Whole | ShorterSide | LongerSide | Letterbox | Raster
SquareView = Stretch | CentreCrop


def described(view: View) -> str:
    """The view in words, to be read after the size of its pixels."""
    match view:
        case Stretch():
            return f"stretched to {view.resize_px} px"
        case CentreCrop():
            return f"shorter side resized to {view.resize_px} px, centre crop of {view.crop_px} px"
        case ShorterSide():
            limit = f", longer side at most {view.longest_px} px" if view.longest_px else ""
            return f"shorter side resized to {view.shorter_px} px{limit}"
        case LongerSide():
            return f"longer side resized to {view.longer_px} px"
        case Letterbox():
            return f"fitted into {view.size_px} px, filled up with grey {view.fill}"
        case Raster():
            return (
                f"drawn from above at {view.metres_per_px:g} m a pixel, {view.ahead:.0%} of it ahead,"
                f" {view.past} past of {view.history} frames"
            )
        case Whole():
            return "not resized"


def _scaled(height: int, width: int, longer_px: int) -> tuple[int, int]:
    """Height and width once the longer side has `longer_px`; the other is rounded to whole pixels, one at least."""
    scale = longer_px / max(height, width)
    return max(1, round(scale * height)), max(1, round(scale * width))


def _resized_whole(view: _View, image: Pixels, *, name: str, grey: bool) -> Shown:
    """The whole image, resized as the view says, and its place."""
    image = as_channels(image, view.channels, name=name, grey=grey)
    whole = _View.geometry(view, *image.shape[:2])
    return Shown(view._resized(image, *whole.view_sides, name=name), whole)
