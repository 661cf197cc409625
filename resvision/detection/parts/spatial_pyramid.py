"""Spatial pyramid pooling of many windows of a map at once: He et al. 2014, https://arxiv.org/abs/1406.4729, section 4.

The bins of a window are those of `SpatialPyramidPooling` over that window alone: integers, so exact. The maximum of a
bin is the greatest of four maxima of blocks whose sides are powers of two, and these are computed once for the whole
map: a window costs the same whatever its size, and rows of C numbers are read, not single ones.

Glossary
    N, C, H, W  images, channels, height and width of a map
    R           windows of all images, or some of them
    n           bins along a side at a level of the pyramid
    cells       (R, 4) int64: first column and row of a window, and those behind its last
    a, b        exponents: a block is 2^a cells high and 2^b wide
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(NamedTuple):
    """The place of a map's maxima among the rows of the table: its first row, its sides, and its number of exponents.

    The maximum of the 2^a x 2^b cells of image i from (y, x) on is row `first + (((a across + b) N + i) H + y) W + x`.
    """

    first: int
    height: int
    width: int
    across: int


class BlockMaxima(NamedTuple):
    """Maxima of the blocks of one or several maps of the same images.

    table   (rows, C)
    images  N
    blocks  one for each map
    """

    table: Tensor
    images: int
    blocks: tuple[Block, ...]


class WindowPyramid(nn.Module):
    """The maxima of n x n bins of each window for each n of `levels`, as one vector.

    bins  of all levels, which is the number of values per channel
    """

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.levels = [*levels]
        self.bins = sum(level**2 for level in levels)
        # Bins of a level that divides another are unions of its bins.
        self._finer = {n: max(m for m in levels if m % n == 0) for n in levels}

    def maxima(self, maps: Sequence[Tensor]) -> BlockMaxima:
        """The maxima of the blocks of maps (N, C, H, W), which all windows share."""
        tables, blocks, first = [], [], 0
        for pixels in maps:
            height, width = pixels.shape[2:]
            grids, across = _block_maxima(pixels, self._longest(height), self._longest(width))
            blocks.append(Block(first, height, width, across))
            tables.append(grids)
            first += len(grids)
        return BlockMaxima(torch.cat(tables), len(maps[0]), tuple(blocks))

    def forward(self, maxima: BlockMaxima, image: Tensor, cells: Tensor, number: Tensor | None = None) -> Tensor:
        """(R, C * bins), ordered by level, then channel, then row, as in `SpatialPyramidPooling`.

        image   (R,) int64, the image of each window
        number  (R,) int64, the map of each; the first if left out
        """
        number = torch.zeros_like(image) if number is None else number
        grids = {n: _bins(maxima, image, cells, number, n) for n in {*self._finer.values()}}  # each (R, C, n, n)
        vectors = []
        for n in self.levels:
            finer = self._finer[n]
            grid = grids[finer] if n == finer else F.max_pool2d(grids[finer], finer // n)
            vectors.append(grid.flatten(1))
        return torch.cat(vectors, dim=1)

    def _longest(self, side: int) -> int:
        """Cells of the longest bin along a side that is read from the table."""
        return min(side, -(-side // min(self._finer.values())) + 1)

    def extra_repr(self) -> str:
        """The text that `print` adds to the class name."""
        return f"levels={self.levels}"


def _block_maxima(pixels: Tensor, longest_down: int, longest_across: int) -> tuple[Tensor, int]:
    """The rows of a map's table, and the number of exponents across. Blocks beyond the far edges end there."""
    down, across = longest_down.bit_length(), longest_across.bit_length()
    by_rows = [pixels.permute(0, 2, 3, 1)]  # (N, H, W, C)
    for a in range(down - 1):
        by_rows.append(_doubled(by_rows[-1], 2**a, dim=1))
    grids = []
    for grid in by_rows:
        grids.append(grid)
        for b in range(across - 1):
            grids.append(_doubled(grids[-1], 2**b, dim=2))
    return torch.stack(grids).flatten(0, 3), across


def _doubled(grid: Tensor, step: int, *, dim: int) -> Tensor:
    """Maxima of blocks twice as long along one side, from those of `step` cells."""
    length = grid.shape[dim]
    near, far = grid.narrow(dim, 0, length - step), grid.narrow(dim, step, length - step)
    return torch.cat([torch.maximum(near, far), grid.narrow(dim, length - step, step)], dim=dim)


def _bins(maxima: BlockMaxima, image: Tensor, cells: Tensor, number: Tensor, n: int) -> Tensor:
    """The maxima of n x n bins of each window, (R, C, n, n)."""
    first, height, width, across = cells.new_tensor(maxima.blocks)[number].unbind(1)
    left, top, right, bottom = cells.unbind(1)
    a, rows = _two_blocks(top, bottom, n)
    b, columns = _two_blocks(left, right, n)
    grid = (a[:, :, None] * across[:, None, None] + b[:, None, :]) * maxima.images + image[:, None, None]  # (R, n, n)
    greatest: Tensor | None = None
    for row in rows:
        for column in columns:
            pixel = (grid * height[:, None, None] + row[:, :, None]) * width[:, None, None] + column[:, None, :]
            values = F.embedding(first[:, None, None] + pixel, maxima.table)  # (R, n, n, C)
            greatest = values if greatest is None else torch.maximum(greatest, values)
    assert greatest is not None, "two rows times two columns"
    return greatest.permute(0, 3, 1, 2)


def _two_blocks(start: Tensor, end: Tensor, n: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """The exponent of each of n bins of start..end, (R, n), and the first cells of two blocks that cover it."""
    steps = torch.arange(n, device=start.device)
    length = (end - start)[:, None]
    first = start[:, None] + steps * length // n
    behind = start[:, None] - -(steps + 1) * length // n  # rounded up
    # Whole numbers of up to 2^24 are exact in float32, and so are the logarithms of powers of two.
    exponent = (behind - first).float().log2().floor().long()
    return exponent, (first, behind - 2**exponent)
