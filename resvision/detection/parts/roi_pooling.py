"""The part of a map that lies in a region of interest, brought to a grid of one size.

RoI max pooling is Fast R-CNN's (Girshick 2015, https://arxiv.org/abs/1504.08083, section 2.1), RoIAlign Mask R-CNN's
(He et al. 2017, https://arxiv.org/abs/1703.06870, section 3). Over a pyramid each region is taken from one map, by its
area (Lin et al. 2017, https://arxiv.org/abs/1612.03144, equation 1).

Glossary
    N, P, C  images, regions of each image, channels
    G        cells of the grid along a side, 7
    maps     by name, each (N, C, H, W)
    regions  (N, P, 4), x1 y1 x2 y2 in pixels of the image
"""

from collections.abc import Mapping
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_pool

from resvision.contracts import fp32_or_more

CANONICAL_PX = 224
"""A region of this side, that of images in classification, is taken from P4."""
CANONICAL_LEVEL = 4
SAMPLES = 2
"""Points along each side of a cell at which RoIAlign reads a map."""


class RoIMaxPool(nn.Module):
    """The greatest value of each channel in each cell; edges of regions and cells are rounded to pixels of the map.

    name, stride  of the map
    """

    def __init__(self, name: str, stride: int, *, grid: int = 7) -> None:
        super().__init__()
        self.name, self.stride, self.grid = name, stride, grid

    def forward(self, maps: Mapping[str, Tensor], regions: Tensor) -> Tensor:
        """The grids of all regions, (N * P, C, G, G)."""
        pixels = fp32_or_more(maps[self.name]).contiguous()
        # The released code names a box's far edge by the last pixel inside, ours ends one pixel further.
        inclusive = fp32_or_more(regions) - regions.new_tensor([0.0, 0.0, 1.0, 1.0])
        grids: Tensor = roi_pool(pixels, [*inclusive], self.grid, 1 / self.stride)
        return grids.to(maps[self.name].dtype)


class RoIAlign(nn.Module):
    """The mean of four points of each cell, between which nothing is rounded; each region from one map.

    strides  of the maps by name, fine to coarse, each twice the one before
    """

    def __init__(self, strides: Mapping[str, int], *, grid: int = 7) -> None:
        super().__init__()
        self.strides, self.grid = dict(strides), grid

    def forward(self, maps: Mapping[str, Tensor], regions: Tensor) -> Tensor:
        """The grids of all regions, (N * P, C, G, G).

        A grid is a sum of rows of a table, one for each pixel of a map: maps lie in memory pixel by pixel, so that
        this reads whole rows, and needs no loop over the maps.
        """
        used = [maps[name] for name in self.strides]
        table = torch.cat([pixels.permute(0, 2, 3, 1).flatten(0, 2) for pixels in used])
        rows, weights = self._rows(used, fp32_or_more(regions))
        # engines know no sum of chosen rows, and would loop over the bags
        sums = _row_sums if torch.compiler.is_exporting() else _RowSums.apply
        bags: Tensor = sums(table, rows, weights.to(table.dtype))
        return bags.view(-1, self.grid, self.grid, table.shape[1]).permute(0, 3, 1, 2)

    def _rows(self, maps: list[Tensor], regions: Tensor) -> tuple[Tensor, Tensor]:
        """The rows of the table that each cell sums, (N * P * G * G, 16), and their weights, of the same shape."""
        images, count, _ = regions.shape
        heights, widths = (regions.new_tensor([pixels.shape[side] for pixels in maps]).long() for side in (2, 3))
        ends = (images * heights * widths).cumsum(0)
        strides = regions.new_tensor([*self.strides.values()])
        level = levels(regions, strides)
        height, width = heights[level], widths[level]
        image = torch.arange(images, device=regions.device)[:, None]
        first = (ends - images * heights * widths)[level] + image * height * width
        x1, y1, x2, y2 = (regions / strides[level][..., None]).unbind(-1)
        across, weights_across = _corners(x1, x2, width, self.grid)
        down, weights_down = _corners(y1, y2, height, self.grid)
        down = first[..., None, None] + down * width[..., None, None]  # each (N, P, G, 4)
        rows = down[:, :, :, None, :, None] + across[:, :, None, :, None, :]
        weights = weights_down[:, :, :, None, :, None] * weights_across[:, :, None, :, None, :]
        rows = rows.view(images * count * self.grid**2, -1).int()  # which sort and gather faster than int64
        return rows, weights.view(images * count * self.grid**2, -1)


class _RowSums(torch.autograd.Function):
    """Weighted sums of rows of a table, (bags, C), of rows (bags, 16) and weights (bags, 16).

    The gradient of a row is a weighted sum too, over the bags that the row is in. Computed like the forward, it takes a
    quarter to a half of the time of torch's on a CPU, which also adds it up in bf16.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(rows, weights)
        ctx.length = len(table)
        return F.embedding_bag(rows, table, per_sample_weights=weights, mode="sum")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        rows, weights = ctx.saved_tensors
        by_row, order = rows.flatten().sort(stable=True)  # stable, so that equal rows are always summed in one order
        firsts = torch.searchsorted(by_row, torch.arange(ctx.length, device=rows.device, dtype=rows.dtype))
        bags = (order // rows.shape[1]).to(rows.dtype)
        of_rows = F.embedding_bag(
            bags, gradient, firsts.to(rows.dtype), per_sample_weights=weights.flatten()[order], mode="sum"
        )
        return of_rows, None, None


def _row_sums(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """What `_RowSums` gives, a column of rows after the other, so that no more than two tables of bags are held."""
    columns = zip(rows.unbind(1), weights.unbind(1), strict=True)
    terms = (table[chosen.long()] * share[:, None] for chosen, share in columns)
    return reduce(torch.add, terms)


def levels(regions: Tensor, strides: Tensor) -> Tensor:
    """The index of the map from which each region is taken, (N, P) int64, of maps with these strides, (L,)."""
    finest = strides[0].log2()
    sides = (regions[..., 2:] - regions[..., :2]).clamp(min=0).prod(dim=-1).sqrt()
    # A region of exactly 224 px must not fall to P3 by rounding.
    level = (CANONICAL_LEVEL + (sides / CANONICAL_PX).log2() + 1e-6).floor() - finest
    return level.clamp(0, len(strides) - 1).long()


def _corners(start: Tensor, end: Tensor, length: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """The pixels along one side between which the points of each cell lie, (N, P, G, 4), and their weights.

    start, end  of regions in pixels of the map, (N, P)
    length      of the map, (N, P)
    """
    extent = (end - start).clamp(min=1)
    steps = (torch.arange(grid * SAMPLES, dtype=start.dtype, device=start.device) + 0.5) / (grid * SAMPLES)
    points = start[..., None] + steps * extent[..., None]  # (N, P, G * samples)
    last = (length - 1)[..., None]
    inside = (points >= -1) & (points <= length[..., None])
    points = torch.minimum(points.clamp(min=0), last.to(points.dtype))
    low = points.floor()
    far = points - low
    pixels = torch.stack([low.long(), torch.minimum(low.long() + 1, last)], dim=-1)
    weights = torch.stack([1 - far, far], dim=-1) * (inside / SAMPLES)[..., None]
    by_cell = (*points.shape[:2], grid, 2 * SAMPLES)
    return pixels.view(by_cell), weights.view(by_cell)
