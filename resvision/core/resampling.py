"""Images of other sides and other channels: the only module that resamples.

Glossary
    image   (H, W) grey or (H, W, C), uint8, upright
    box     (left, top, right, bottom) in pixels of an image, fractions allowed
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resvision.core.errors import DataError, printable
from resvision.core.images import Pixels

Box = tuple[float, float, float, float]
Interpolation = Literal["bilinear", "bicubic", "bilinear-aliased"]
INTERPOLATIONS: tuple[Interpolation, ...] = get_args(Interpolation)
"""Two that average over as many pixels as an image shrinks by, and one that reads the nearest four, as torchvision's
detectors do."""

_RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear-aliased": Image.Resampling.BILINEAR,
}


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
    left, top, right, bottom = box or whole
    if interpolation == "bilinear-aliased" and (right - left > width or bottom - top > height):
        return _from_nearest_four(image, height, width, box or whole)
    channels = image.shape[2]
    if channels not in (1, 3):  # Pillow has no such images
        layers = [resample(image[:, :, k : k + 1], height, width, interpolation, box) for k in range(channels)]
        return np.concatenate(layers, axis=2)
    picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    # Pillow's bilinear filter reads the nearest four as well where nothing shrinks.
    resized = picture.resize((width, height), _RESAMPLING[interpolation], box=box or whole)
    return np.asarray(resized).reshape(height, width, channels)


def _from_nearest_four(image: Pixels, height: int, width: int, box: Box) -> Pixels:
    """The box at (height, width, C): each pixel is read between the four whose centres surround its own."""
    left, top, right, bottom = box
    above, below, down = _neighbours(top + (np.arange(height) + 0.5) * (bottom - top) / height, image.shape[0])
    before, after, across = _neighbours(left + (np.arange(width) + 0.5) * (right - left) / width, image.shape[1])

    def between_columns(rows: Pixels) -> NDArray[np.float32]:
        nearest = rows[:, before].astype(np.float32)
        return np.asarray(nearest + across[:, None] * (rows[:, after] - nearest))

    upper = between_columns(image[above])
    return np.rint(upper + down[:, None, None] * (between_columns(image[below]) - upper)).astype(np.uint8)


def _neighbours(
    positions: NDArray[np.float64], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The lines of `length` whose centres are nearest before and after, and the share of the latter; (positions,)."""
    centred = (positions - 0.5).clip(0, length - 1)
    before = centred.astype(np.int64)
    return before, np.minimum(before + 1, length - 1), (centred - before).astype(np.float32)


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
