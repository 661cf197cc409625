"""Spatial pyramid pooling: He et al. 2014, https://arxiv.org/abs/1406.4729."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SpatialPyramidPooling(nn.Module):
    """The maxima of n x n bins for each n of `levels`, as one vector whose length does not depend on the map's size.

    bins  of all levels, which is the number of values per channel

    Bin i of n covers the pixels floor(i H / n) .. ceil((i + 1) H / n), as in the paper's appendix, so that the bins
    cover all of the map.
    """

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.levels = list(levels)
        self.bins = sum(level**2 for level in levels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C * bins), ordered by level, then channel, then row."""
        return torch.cat([F.adaptive_max_pool2d(x, level).flatten(1) for level in self.levels], dim=1)

    def extra_repr(self) -> str:
        """The text that `print` adds to the class name."""
        return f"levels={self.levels}"
