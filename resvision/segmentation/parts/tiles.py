"""Prediction for images of any size with nets that do not take every size: in the windows of `geometry.tiles`.

Glossary
    N images of one size, K classes
    window  (side, side) pixels, an input of the net; they may begin before the image and end beyond it
    result  the net's output for a window, `border_px` less on each side
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.geometry.tiles import ANY_SIZE, InputRule, Layout, lay_out, mirrored_positions
from resvision.layers.sizes import sides_are_known

MOST_CLASSES = 255
"""Labels are bytes, of which 255 means void."""

Predict = Callable[[Tensor], Tensor]
"""Windows (N, C, side, side) to class probabilities (N, K, side - 2 border_px, side - 2 border_px)."""


def require_taken(rule: InputRule, images: Tensor, *, net: str) -> None:
    """Raise SettingsError, with the nearest size, for images (N, C, H, W) of a size that the net does not take."""
    height, width = images.shape[-2], images.shape[-1]
    if sides_are_known(images) and not (rule.takes(height) and rule.takes(width)):
        raise SettingsError(
            f"images are {height}x{width} px: {net} takes {rule}; nearest: {rule.nearest(height)}x{rule.nearest(width)}"
        )


def input_rule(net: nn.Module) -> InputRule:
    """The net's attribute `input_rule`; any size where it has none."""
    rule = getattr(net, "input_rule", ANY_SIZE)
    assert isinstance(rule, InputRule)
    return rule


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
    for top, (row, bottom) in zip(down.starts, pairwise(down.cuts(height)), strict=True):
        for left, (column, right) in zip(across.starts, pairwise(across.cuts(width)), strict=True):
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
    """Take `length` pixels along one axis from `start` on; beyond the edges the image is mirrored."""
    side = images.shape[dim]
    if start >= 0 and start + length <= side:
        return images.narrow(dim, start, length)
    return images.index_select(dim, torch.from_numpy(mirrored_positions(start, length, side)).to(images.device))
