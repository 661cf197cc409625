"""Transfer connections: Zhang et al. 2018, RefineDet, https://arxiv.org/abs/1711.06897, section 3.1 and Figure 2.

They turn the maps on which anchors are refined into those on which objects are told apart, and add what coarser maps
know of the surroundings to the finer ones. As in the released code, a deconvolution has a 2x2 window, and so no two of
its values overlap. New layers are drawn by He's rule, where that code draws them by Glorot's.

Glossary
    maps  (N, C, h, w), the finest first; each has about half the side of the one before
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from resvision.layers.init import he_initialize_incoming


class TransferConnections(nn.Module):
    """A way for each map, from coarse to fine.

    1. Two 3x3 convolutions, with a ReLU between them.
    2. The next coarser result, its sides doubled by a deconvolution, is added; there is none for the coarsest map.
    3. ReLU, a 3x3 convolution, ReLU.

    in_channels  of the maps
    channels     of every result
    """

    def __init__(self, in_channels: Sequence[int], *, channels: int) -> None:
        super().__init__()
        self.entries = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(entering, channels, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(channels, channels, 3, padding=1),
            )
            for entering in in_channels
        )
        self.doublings = nn.ModuleList(nn.ConvTranspose2d(channels, channels, 2, stride=2) for _ in in_channels[1:])
        self.exits = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in in_channels)
        he_initialize_incoming(self)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The results (N, channels, h, w), of the sides of the maps."""
        results: list[Tensor] = []  # the coarsest first
        for level in reversed(range(len(maps))):
            x = self.entries[level](maps[level])
            if results:
                x = x + fitted(self.doublings[level](results[-1]), x)
            results.append(F.relu(self.exits[level](F.relu(x))))
        return results[::-1]


def fitted(doubled: Tensor, fine: Tensor) -> Tensor:
    """A map of twice the sides of a coarse one, cut off or filled up with zeros to the sides of the fine one.

    The paper's maps are even. Of odd ones the coarse map rounds up or down.
    """
    height, width = fine.shape[-2] - doubled.shape[-2], fine.shape[-1] - doubled.shape[-1]
    return F.pad(doubled, (0, width, 0, height)) if height or width else doubled
