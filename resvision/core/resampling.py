"""Images of other sides and other channels: the only module that resamples.

Glossary
    image   (H, W) grey or (H, W, C), uint8, upright
    box     (left, top, right, bottom) in pixels of an image, fractions allowed
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core.errors import DataError, printable
from resvision.core.images import Pixels

Box = tuple[float, float, float, float]
Interpolation = Literal["bilinear", "bicubic", "bilinear-aliased"]
INTERPOLATIONS = ("bilinear", "bicubic", "bilinear-aliased")
"""Bilinear and bicubic are antialiased. `bilinear-aliased` reads the four pixels about each point however much an image
shrinks, as nets are trained whose images were resized as tensors."""

_RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def as_channels(image: Pixels, channels: int, *, name: str, grey: bool = False) -> Pixels:
    """The image as (H, W, channels): grey is repeated; RGB becomes grey where its channels are equal.

    Real colour for one channel is converted by luma if `grey`, and is a DataError otherwise, as is any other number of
    channels than the net's.
    """
    if image.ndim == 2:
        image = image[:, :, None]
    if image.shape[2] == channels:
        return image
    if image.shape[2] == 1:
        return np.repeat(image, channels, axis=2)
    if channels != 1 or image.shape[2] != 3:
        raise DataError(f"{printable(name)}: an image of {image.shape[2]} channels for a net that takes {channels}")
    if not grey and (image != image[:, :, :1]).any():
        raise DataError(f"{printable(name)}: a colour image for a net that takes grey ones; `--grey` converts by luma")
    return np.asarray(Image.fromarray(image).convert("L"))[:, :, None]


def crop_resize(image: Pixels, box: Box, size_px: int, interpolation: Interpolation) -> Pixels:
    """The part of an (H, W, C) image in `box`, resampled to (size_px, size_px, C).

    The filter reads beyond the box where the image goes on, so this is to resize and then crop, in one go and
    within one grey level of rounding.
    """
    return resample(image, size_px, size_px, interpolation, box)


def resample(image: Pixels, height: int, width: int, interpolation: Interpolation, box: Box | None = None) -> Pixels:
    """The box, or the whole image, at (height, width, C), as by `crop_resize`; itself where nothing changes."""
    whole = (0, 0, image.shape[1], image.shape[0])
    if image.shape[:2] == (height, width) and (box or whole) == whole:
        return image
    if interpolation == "bilinear-aliased":
        return _bilinear(image, height, width, box or whole)
    channels = image.shape[2]
    if channels not in (1, 3):  # Pillow has no such images
        layers = [resample(image[:, :, k : k + 1], height, width, interpolation, box) for k in range(channels)]
        return np.concatenate(layers, axis=2)
    picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    resized = picture.resize((width, height), _RESAMPLING[interpolation], box=box or whole)
    return np.asarray(resized).reshape(height, width, channels)


def centre_crop(image: Pixels, size_px: int) -> Pixels:
    """The middle (size_px, size_px, C) of an (H, W, C) image that is no smaller."""
    height, width = image.shape[:2]
    top = round((height - size_px) / 2)  # half pixels go to the even side, as in torchvision
    left = round((width - size_px) / 2)
    return image[top : top + size_px, left : left + size_px]


def resized_sides(height: int, width: int, shorter_px: int) -> tuple[int, int]:
    """Height and width once the shorter side has `shorter_px`; the other is cut down to whole pixels."""
    shorter = min(height, width)
    return shorter_px * height // shorter, shorter_px * width // shorter


def _bilinear(image: Pixels, height: int, width: int, box: Box) -> Pixels:
    """The box at (height, width, C), each value from the four pixels about its place, rounded; not antialiased."""
    left, top, right, bottom = box
    above, below, down = _neighbours(image.shape[0], top, bottom, height)
    before, after, across = _neighbours(image.shape[1], left, right, width)
    down, across = down[:, None, None], across[:, None]
    lines = image[above] * (1 - down) + image[below] * down
    return np.rint(lines[:, before] * (1 - across) + lines[:, after] * across).astype(np.uint8)


def _neighbours(
    length: int, start: float, end: float, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The pixels before and after the centres of `count` equal parts of start..end, and the share of those after."""
    places = start + (np.arange(count) + 0.5) * ((end - start) / count) - 0.5
    places = places.clip(0, length - 1)
    before = places.astype(np.int64)
    return before, np.minimum(before + 1, length - 1), (places - before).astype(np.float32)
