"""Prediction for images of any size with nets that do not take every size: in windows, mirrored beyond the edges.

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

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.layers.sizes import sides_are_known

MOST_CLASSES = 255
"""Labels are bytes, of which 255 means void."""

Predict = Callable[[Tensor], Tensor]
"""Windows (N, C, side, side) to class probabilities (N, K, side - 2 border_px, side - 2 border_px)."""


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

    def check(self, images: Tensor, *, net: str) -> None:
        """Raise SettingsError, with the nearest size, for images (N, C, H, W) of a size that the net does not take."""
        height, width = images.shape[-2], images.shape[-1]
        if sides_are_known(images) and not (self.takes(height) and self.takes(width)):
            raise SettingsError(
                f"images are {height}x{width} px: {net} takes {self}; nearest: "
                f"{self.nearest(height)}x{self.nearest(width)}"
            )

    def __str__(self) -> str:
        if self.fixed_px is not None:
            return f"{self.fixed_px}x{self.fixed_px} alone"
        remainder = f" + {self.offset}" if self.offset else ""
        return f"sides of {self.multiple} s{remainder} px from {self.at_least(1)} on"


ANY_SIZE = InputRule()


def input_rule(net: nn.Module) -> InputRule:
    """The net's attribute `input_rule`; any size where it has none."""
    rule = getattr(net, "input_rule", ANY_SIZE)
    assert isinstance(rule, InputRule)
    return rule


class Layout(NamedTuple):
    """The windows along one axis. The last result may end beyond the image, by less than `InputRule.multiple`."""

    side: int
    result: int
    starts: tuple[int, ...]


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


def predict_tiled(
    predict: Predict,
    images: Tensor,
    *,
    rule: InputRule,
    num_classes: int,
    tile_px: int | None = None,
    overlap_px: int = 0,
) -> Tensor:
    """Predict class probabilities (N, K, H, W) of images (N, C, H, W) of any size: the mean of all results at a pixel.

    `tile_px` and `overlap_px` are those of `lay_out`, with its errors. `images` may be bytes where `predict` takes
    them. Raises ValueError if `predict` does not keep to the rule.
    """
    height, width = images.shape[-2:]
    down = lay_out(height, rule=rule, tile_px=tile_px, overlap_px=overlap_px)
    across = lay_out(width, rule=rule, tile_px=tile_px, overlap_px=overlap_px)
    total = torch.zeros(images.shape[0], num_classes, height, width, device=images.device)
    result_counts = torch.zeros(height, width, device=images.device)
    for top in down.starts:
        for left in across.starts:
            result = _result(predict, images, top=top, left=left, down=down, across=across, rule=rule)
            area = (slice(top, top + down.result), slice(left, left + across.result))
            part = total[:, :, area[0], area[1]]
            part += result[:, :, : part.shape[2], : part.shape[3]]
            result_counts[area] += 1
    return total.div_(result_counts)


def whole_window(images: Tensor, rule: InputRule) -> Tensor | None:
    """The window (N, C, side, side') that shows images (N, C, H, W) in one piece, mirrored beyond their edges.

    Its result begins at the first pixel of the images, which is at `border_px` of the window. None where a net of one
    size takes only parts of them.
    """
    down, across = (lay_out(side, rule=rule) for side in images.shape[-2:])
    if len(down.starts) > 1 or len(across.starts) > 1:
        return None
    window = _mirrored(images, dim=-2, start=-rule.border_px, length=down.side)
    return _mirrored(window, dim=-1, start=-rule.border_px, length=across.side)


class LabelTile(NamedTuple):
    """A part of a label map: `labels`, (h, w) uint8, belong at row `top` and column `left`."""

    top: int
    left: int
    labels: Tensor


def label_tiles(
    predict: Predict, image: Tensor, *, rule: InputRule, tile_px: int | None = None, overlap_px: int = 0
) -> Iterator[LabelTile]:
    """Yield the label map of one image (C, H, W) in parts that do not overlap, row by row, in the memory of one tile.

    Where results overlap, each gives the half that is nearer to its middle. Arguments and errors are those of
    `predict_tiled`. Raises ValueError for more than 255 classes, which a byte cannot name.
    """
    height, width = image.shape[-2:]
    down = lay_out(height, rule=rule, tile_px=tile_px, overlap_px=overlap_px)
    across = lay_out(width, rule=rule, tile_px=tile_px, overlap_px=overlap_px)
    for top, (row, bottom) in zip(down.starts, pairwise(_cuts(down, height)), strict=True):
        for left, (column, right) in zip(across.starts, pairwise(_cuts(across, width)), strict=True):
            with torch.no_grad():
                result = _result(predict, image[None], top=top, left=left, down=down, across=across, rule=rule)
            if result.shape[1] > MOST_CLASSES:
                raise ValueError(f"{result.shape[1]} classes; a label map names {MOST_CLASSES} at most")
            labels = result[0, :, row - top : bottom - top, column - left : right - left].max(dim=0).indices
            yield LabelTile(row, column, labels.to(torch.uint8))


def label_map(
    predict: Predict, image: Tensor, *, rule: InputRule, tile_px: int | None = None, overlap_px: int = 0
) -> Tensor:
    """Put the label map, (H, W) uint8, of one image (C, H, W) of any size together from `label_tiles`, on the CPU."""
    labels = torch.empty(image.shape[-2:], dtype=torch.uint8)
    for tile in label_tiles(predict, image, rule=rule, tile_px=tile_px, overlap_px=overlap_px):
        h, w = tile.labels.shape
        labels[tile.top : tile.top + h, tile.left : tile.left + w] = tile.labels
    return labels


def _result(
    predict: Predict, images: Tensor, *, top: int, left: int, down: Layout, across: Layout, rule: InputRule
) -> Tensor:
    """Predict the window whose result starts at (top, left)."""
    window = _mirrored(images, dim=-2, start=top - rule.border_px, length=down.side)
    window = _mirrored(window, dim=-1, start=left - rule.border_px, length=across.side)
    result = predict(window)
    if result.shape[-2:] != (down.result, across.result):
        raise ValueError(
            f"the result is {'x'.join(map(str, result.shape[-2:]))} for a window of {down.side}x{across.side}; "
            f"by the rule of the net it is {down.result}x{across.result}"
        )
    return result


def _mirrored(images: Tensor, *, dim: int, start: int, length: int) -> Tensor:
    """Take `length` pixels along one axis from `start` on; beyond the edges the image is mirrored, as often as needed.

    The outermost pixel itself is not repeated.
    """
    side = images.shape[dim]
    if start >= 0 and start + length <= side:
        return images.narrow(dim, start, length)
    period = max(1, 2 * (side - 1))
    positions = torch.arange(start, start + length, device=images.device) % period
    return images.index_select(dim, torch.minimum(positions, period - positions) if side > 1 else positions)


def _cuts(layout: Layout, length: int) -> list[int]:
    """The starts of each result's part along one axis, in the middle of overlaps, and the end of the image."""
    between = [(start + before + layout.result) // 2 for before, start in pairwise(layout.starts)]
    return [0, *between, length]
