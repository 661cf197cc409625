"""Crops that an image and its label map share: a window of the scaled image, which may reach beyond it.

The image is resampled, antialiased; a label is taken whole, from the pixel in which the new pixel's centre lies.

Glossary
    image   (H, W, C) uint8
    mask    (H, W) uint8, labels and VOID
    window  a square of `size_px` in the image once that is scaled
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.images import VOID, Pixels
from resvision.core.resampling import Interpolation, resample


class Window(NamedTuple):
    """A square of the scaled image.

    height, width  of the scaled image, pixels
    top, left      corner of the square in it; below 0, and beyond the image, there is padding
    size_px        side of the square
    """

    height: int
    width: int
    top: int
    left: int
    size_px: int


def centre_window(height: int, width: int, size_px: int) -> Window:
    """The window in the middle of the unscaled image, padded all around where it is smaller."""
    return Window(height, width, round((height - size_px) / 2), round((width - size_px) / 2), size_px)


def random_scale_window(
    height: int, width: int, size_px: int, scale_range: tuple[float, float], draws: NDArray[np.float64]
) -> Window:
    """A window at a random place after scaling by a random factor, from three draws: factor, top, left.

    The factor is uniform in `scale_range`; where the scaled image is smaller than the window, it lies at a random
    place in it.
    """
    smallest, largest = scale_range
    factor = smallest + (largest - smallest) * float(draws[0])
    scaled_height, scaled_width = max(1, round(factor * height)), max(1, round(factor * width))
    top, left = _start(scaled_height - size_px, draws[1]), _start(scaled_width - size_px, draws[2])
    return Window(scaled_height, scaled_width, top, left, size_px)


def image_in(window: Window, image: Pixels, fill: list[int], interpolation: Interpolation) -> Pixels:
    """The part of an image inside the window, (size_px, size_px, C), `fill` (C,) around it."""
    rows, columns = _inside(window)
    height, width = image.shape[:2]
    left, right = columns.start * width / window.width, columns.stop * width / window.width
    top, bottom = rows.start * height / window.height, rows.stop * height / window.height
    part = resample(image, len(rows), len(columns), interpolation, (left, top, right, bottom))
    if part.shape[:2] == (window.size_px, window.size_px):
        return part
    crop = np.empty((window.size_px, window.size_px, image.shape[2]), dtype=np.uint8)
    crop[:] = fill
    crop[_moved(rows, window.top), _moved(columns, window.left)] = part
    return crop


def mask_in(window: Window, mask: Pixels) -> Pixels:
    """The part of a mask inside the window, (size_px, size_px), VOID around it."""
    rows, columns = _inside(window)
    crop = np.full((window.size_px, window.size_px), VOID, dtype=np.uint8)
    crop[_moved(rows, window.top), _moved(columns, window.left)] = mask[
        _nearest(rows, window.height, mask.shape[0])[:, None], _nearest(columns, window.width, mask.shape[1])
    ]
    return crop


def _start(room: int, draw: float) -> int:
    """A whole number between 0 and `room`, which may be negative, both included, all equally likely."""
    start = int(float(draw) * (abs(room) + 1))
    return start if room >= 0 else -start


def _inside(window: Window) -> tuple[range, range]:
    """The rows and columns of the scaled image that lie in the window."""
    return (
        range(max(0, window.top), min(window.height, window.top + window.size_px)),
        range(max(0, window.left), min(window.width, window.left + window.size_px)),
    )


def _moved(lines: range, start: int) -> slice:
    return slice(lines.start - start, lines.stop - start)


def _nearest(lines: range, scaled: int, stored: int) -> NDArray[np.int64]:
    """The stored lines in which the centres of scaled ones lie, in whole numbers, so without rounding."""
    return (2 * np.arange(lines.start, lines.stop, dtype=np.int64) + 1) * stored // (2 * scaled)
