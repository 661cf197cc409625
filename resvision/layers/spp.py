"""Spatial pyramid pooling: He et al. 2014, https://arxiv.org/abs/1406.4729."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SpatialPyramidPooling(nn.Module):
    """Maxima over n x n bins for each n of `levels`, as one vector whose length does not depend on the map's size.

    Bin i of n covers the pixels floor(i H / n) .. ceil((i + 1) H / n), as in the paper's appendix: all of the map.
    """

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.levels = tuple(levels)

    @property
    def bins(self) -> int:
        """Bins of all levels: values per channel."""
        return sum(level**2 for level in self.levels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C * bins): level after level, in each channel after channel, in each row after row."""
        return torch.cat([F.adaptive_max_pool2d(x, level).flatten(1) for level in self.levels], dim=1)

    def extra_repr(self) -> str:
        """What `print` adds to the class name."""
        return f"levels={self.levels}"
