"""The settings and methods that all views share.

Glossary
    image   (H, W) grey or (H, W, C), uint8, as stored and oriented
    pixels  (h, w, channels), uint8, the input of a net, not yet normalized
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import isfinite
from typing import NamedTuple, Self

import numpy as np

from resvision.core.errors import DataError, printable
from resvision.core.images import PIXEL_LIMIT, Pixels
from resvision.core.resampling import INTERPOLATIONS, Interpolation, as_channels, resample
from resvision.core.view_geometry import Geometry

LARGEST_PX = 8192
LEAST_STD = 1e-4
"""The least standard deviation of normalization; by less, numbers grow beyond what a net can take."""


class Shown(NamedTuple):
    """The view of one image: the net's pixels, (h, w, channels) uint8, and their place in the image."""

    pixels: Pixels
    geometry: Geometry


@dataclass(frozen=True, kw_only=True)
class BaseView(ABC):
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

    def resized(self, image: Pixels, *, name: str, grey: bool = False) -> Pixels:
        """The whole image before it is cut or filled up, (H, W, channels) uint8. Raises as `show` does."""
        image = as_channels(image, self.channels, name=name, grey=grey)
        height, width = self.resized_sides(*image.shape[:2])
        if height * width > PIXEL_LIMIT:
            raise DataError(
                f"{printable(name)}: {image.shape[1]:,} x {image.shape[0]:,} pixels are too long and thin to become"
                f" {width:,} x {height:,}"
            )
        return resample(image, height, width, self.interpolation)

    def show(self, image: Pixels, *, name: str, grey: bool = False) -> Shown:
        """The net's pixels of an image, and their place in it; the whole image resized, where a view says no other.

        Raises DataError, with the image's `name`, for colour where the net takes grey, unless `grey` converts it, and
        for an image so long and thin that it would pass PIXEL_LIMIT once resized.
        """
        return Shown(self.resized(image, name=name, grey=grey), self.geometry(*image.shape[:2]))

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
