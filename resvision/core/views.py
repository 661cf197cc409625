"""Views: the way from an image to the input of a net, and back for points, boxes and label maps.

Training's evaluation, prediction, bundle and server all come through `View.show`, so they see the same pixels. A view
is data: it is stored in the run, and its field `kind` says which one of the union it is.

Glossary
    image   (H, W) grey or (H, W, C), uint8, as stored and oriented
    pixels  (h, w, channels), uint8, the input of a net, not yet normalized
    points  (M, 2) float64, x and y in pixels; (0, 0) is the corner of the first pixel, (0.5, 0.5) its centre
    boxes   (M, 4) float64, xyxy in pixels
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.images import (
    INTERPOLATIONS,
    PIXEL_LIMIT,
    VOID,
    Interpolation,
    Pixels,
    as_channels,
    centre_crop,
    resample,
    resized_sides,
)

LARGEST_PX = 8192
LEAST_STD = 1e-4
"""The least standard deviation of normalization; by less, numbers grow beyond what a net can take."""

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


class Shown(NamedTuple):
    """The view of one image: the net's pixels, (h, w, channels) uint8, and their place in the image."""

    pixels: Pixels
    geometry: Geometry


@dataclass(frozen=True, kw_only=True)
class _View(ABC):
    """The settings and methods of all views. Abstract.

    channels       1 grey, 3 RGB; other numbers for images that have as many
    interpolation  bilinear | bicubic, both antialiased
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
            raise ValueError(f"interpolation must be bilinear or bicubic, got {self.interpolation!r}")
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

    @abstractmethod
    def resized_sides(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of an image of these sides once it is resized, before its centre is kept."""

    def resized(self, image: Pixels, *, name: str, grey: bool = False) -> Pixels:
        """The whole image as it is before its centre is kept, (H, W, channels) uint8. Raises as `show` does."""
        image = as_channels(image, self.channels, name=name, grey=grey)
        return self._resized(image, *self.resized_sides(*image.shape[:2]), name=name)

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The square in the centre of the resized image, (crop_px, crop_px, channels)."""
        resized = self.resized(image, name=name, grey=grey)
        (height, width), (high, wide), side = image.shape[:2], resized.shape[:2], self.crop_px
        geometry = Geometry(
            (height, width),
            (side, side),
            scale_x=wide / width,
            scale_y=high / height,
            left=-round((wide - side) / 2),
            top=-round((high - side) / 2),
        )
        return Shown(centre_crop(resized, side), geometry)


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

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The image as (H, W, channels)."""
        pixels = as_channels(image, self.channels, name=name, grey=grey)
        sides = (pixels.shape[0], pixels.shape[1])
        return Shown(pixels, Geometry(sides, sides))


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

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The image as (h, w, channels), its longer side cut down to whole pixels, as torchvision does."""
        height, width = image.shape[:2]
        sides = resized_sides(height, width, self.shorter_px)
        if self.longest_px is not None and max(sides) > self.longest_px:
            return _scaled(self, image, self.longest_px / max(image.shape[:2]), name=name, grey=grey)
        return _resized_whole(self, image, *sides, name=name, grey=grey)


@dataclass(frozen=True, kw_only=True)
class LongerSide(_View):
    """The whole image, resized so that its longer side is `longer_px`."""

    longer_px: int
    kind: Literal["longer-side"] = "longer-side"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.longer_px <= LARGEST_PX:
            raise ValueError(f"longer_px must be 1..{LARGEST_PX}, got {self.longer_px}")

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The image as (h, w, channels), in its own proportions to the pixel."""
        return _scaled(self, image, self.longer_px / max(image.shape[:2]), name=name, grey=grey)


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

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The square, (size_px, size_px, channels)."""
        inner, geometry = _scaled(self, image, self.size_px / max(image.shape[:2]), name=name, grey=grey)
        (high, wide), side = inner.shape[:2], self.size_px
        top, left = (side - high) // 2, (side - wide) // 2
        square = np.full((side, side, self.channels), self.fill, dtype=np.uint8)
        square[top : top + high, left : left + wide] = inner
        return Shown(square, replace(geometry, view_sides=(side, side), left=left, top=top))


View = Stretch | CentreCrop | Whole | ShorterSide | LongerSide | Letterbox
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
        case Whole():
            return "not resized"


_KIND_OF_RESIZE = {"stretch": "stretch", "shorter-side": "centre-crop", "none": "whole"}


def view_of_preprocess(data: dict[str, Any]) -> dict[str, Any]:
    """The view, as plain data, of a run from the version before, which kept it as `data.preprocess`."""
    shared: dict[str, Any] = {key: data[key] for key in ("channels", "interpolation", "mean", "std") if key in data}
    kind = _KIND_OF_RESIZE.get(str(data.get("resize")), str(data.get("resize")))
    sides: dict[str, Any] = {key: data[key] for key in ("resize_px", "crop_px") if key in data and kind != "whole"}
    return {**shared, **sides, "kind": kind}


def _scaled(view: _View, image: Pixels, scale: float, *, name: str, grey: bool) -> Shown:
    """The view of the whole image at `scale` times its sides, rounded to whole pixels."""
    height, width = image.shape[:2]
    high, wide = max(1, round(scale * height)), max(1, round(scale * width))
    return _resized_whole(view, image, high, wide, name=name, grey=grey)


def _resized_whole(view: _View, image: Pixels, high: int, wide: int, *, name: str, grey: bool) -> Shown:
    """The view of the whole image, resized to the sides given."""
    image = as_channels(image, view.channels, name=name, grey=grey)
    height, width = image.shape[:2]
    pixels = view._resized(image, high, wide, name=name)
    return Shown(pixels, Geometry((height, width), (high, wide), scale_x=wide / width, scale_y=high / height))
