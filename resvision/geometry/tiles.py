"""Images cut into windows of one size, for nets that do not take every size, mirrored beyond the edges.

The overlap-tile strategy of Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, section 2 and figure 2, for nets
whose results are smaller than their inputs, and sliding windows as in Zhao et al. 2017,
https://arxiv.org/abs/1612.01105, for those of one size. Windows start at multiples of `InputRule.multiple`, so that the
poolings of a net meet the same pixels in every window. The step of U-Net's tiles is therefore 384 pixels for results of
388, where the paper's tiles touch.

Glossary
    window  (side, side) pixels, an input of the net; they may begin before the image and end beyond it
    result  the net's output for a window, `border_px` less on each side
    start   first pixel of a result along one axis, in pixels of the image
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import SettingsError
from resvision.core.images import Pixels


@dataclass(frozen=True)
class InputRule:
    """The rule of the images that a net takes: sides of multiple * s + offset pixels, or fixed_px alone.

    multiple   the net's largest stride, where it must divide the side
    border_px  pixels by which the result is smaller than the input, on each side
    """

    multiple: int = 1
    offset: int = 0
    border_px: int = 0
    fixed_px: int | None = None

    def takes(self, side: int) -> bool:
        """Whether images may have a side of so many pixels."""
        return side == self.at_least(side)

    def at_least(self, side: int) -> int:
        """The smallest side that the net takes of those that are not below `side`; fixed_px where that is given."""
        if self.fixed_px is not None:
            return self.fixed_px
        side = max(side, 2 * self.border_px + 1)
        return side + (self.offset - side) % self.multiple

    def nearest(self, side: int) -> int:
        """The side that the net takes with the smallest difference to `side`; the larger of two."""
        above = self.at_least(side)
        below = above - self.multiple
        return below if self.takes(below) and side - below < above - side else above

    def __str__(self) -> str:
        if self.fixed_px is not None:
            return f"{self.fixed_px}x{self.fixed_px} alone"
        remainder = f" + {self.offset}" if self.offset else ""
        return f"sides of {self.multiple} s{remainder} px from {self.at_least(1)} on"


ANY_SIZE = InputRule()


TILE_PX, TILE_OVERLAP_PX = 1024, 128
"""The side and the overlap of the windows of images that are too large to be shown whole."""

WHOLE_UP_TO = 2**22
"""The most pixels of an image that is shown whole."""


class Tiling(NamedTuple):
    """The largest side of windows, None for whole images, and by how many pixels their results overlap."""

    tile_px: int | None
    overlap_px: int


def tiling_of(sides: Sequence[int], rule: InputRule) -> Tiling:
    """The windows in which an image (height, width) is predicted: one, unless it is large."""
    if sides[0] * sides[1] <= WHOLE_UP_TO:
        return Tiling(None, 0)
    side = rule.fixed_px or rule.nearest(TILE_PX)
    return Tiling(side, min(TILE_OVERLAP_PX, side // 8))


class Layout(NamedTuple):
    """The windows along one axis. The last result may end beyond the image, by less than `InputRule.multiple`."""

    side: int
    result: int
    starts: tuple[int, ...]

    def cuts(self, length: int) -> list[int]:
        """The starts of each result's part along the axis, in the middle of overlaps, and the end of the image."""
        between = [(start + before + self.result) // 2 for before, start in pairwise(self.starts)]
        return [0, *between, length]


def lay_out(length: int, *, rule: InputRule, tile_px: int | None = None, overlap_px: int = 0) -> Layout:
    """Lay out equal windows whose results cover 0..length; one window where it need not be larger than `tile_px`.

    tile_px     largest side of a window; None is no limit, so that the image is shown whole, to a net of one size in
                windows of that
    overlap_px  overlap of results, up to `rule.multiple` - 1 pixels more; that of the last may be larger

    Raises SettingsError for a tile_px that the net does not take, and where results or overlap leave no step.
    """
    if tile_px is not None and not rule.takes(tile_px):
        raise SettingsError(f"tile_px {tile_px}: the net takes {rule}; nearest: {rule.nearest(tile_px)}")
    whole = rule.at_least(length + 2 * rule.border_px)
    side = whole if tile_px is None else min(whole, tile_px)
    result = side - 2 * rule.border_px
    if result >= length:
        return Layout(side, result, (0,))
    widest = result - rule.multiple
    if widest < 0:
        raise SettingsError(f"tile_px {side}: results of {result} px, which are too small; take {side + rule.multiple}")
    if not 0 <= overlap_px <= widest:
        raise SettingsError(f"overlap_px {overlap_px}: results of {result} px can overlap by 0 to {widest}")
    step = (result - overlap_px) // rule.multiple * rule.multiple
    last = -((result - length) // rule.multiple) * rule.multiple
    return Layout(side, result, (*range(0, last, step), last))


def mirrored_positions(start: int, length: int, side: int) -> NDArray[np.int64]:
    """The pixels along one axis, (length,), from `start` on; beyond the edges they turn back, as often as needed.

    The outermost pixel itself is not repeated.
    """
    if side == 1:
        return np.zeros(length, dtype=np.int64)
    period = 2 * (side - 1)
    positions = np.arange(start, start + length) % period
    return np.asarray(np.minimum(positions, period - positions))


class _Part(NamedTuple):
    """One window, and the part of the result that is kept of it: rows and columns of the image, and of the result."""

    window: Pixels
    image: tuple[slice, slice]
    result: tuple[slice, slice]


def labels_in_windows(
    labels_of: Callable[[Pixels], NDArray[Any]], image: Pixels, *, rule: InputRule, tiling: Tiling
) -> Pixels:
    """The label map (H, W) uint8 of an image (H, W, C), from windows of one size, each shown to a net by itself.

    labels_of  windows (1, h, w, C) uint8 to labels (1, h - 2 border_px, w - 2 border_px)

    Where results overlap, each gives the half that is nearer to its middle.
    """
    labels = np.empty(image.shape[:2], dtype=np.uint8)
    for part in _parts(image, rule, tiling):
        labels[part.image] = labels_of(part.window[None])[0][part.result]
    return labels


def _parts(image: Pixels, rule: InputRule, tiling: Tiling) -> Iterator[_Part]:
    """Yield the windows of an image row by row; one that is smaller than a window is mirrored beyond its edges."""
    height, width = image.shape[:2]
    tile_px, overlap_px = tiling
    down, across = (lay_out(length, rule=rule, tile_px=tile_px, overlap_px=overlap_px) for length in (height, width))
    for top, (row, bottom) in zip(down.starts, pairwise(down.cuts(height)), strict=True):
        rows = mirrored_positions(top - rule.border_px, down.side, height)
        for left, (column, right) in zip(across.starts, pairwise(across.cuts(width)), strict=True):
            columns = mirrored_positions(left - rule.border_px, across.side, width)
            yield _Part(
                image[rows[:, None], columns],
                (slice(row, bottom), slice(column, right)),
                (slice(row - top, bottom - top), slice(column - left, right - left)),
            )
