"""The parts of GoogLeNet and BN-Inception: Szegedy et al. 2014, https://arxiv.org/abs/1409.4842.

Parameter names are torchvision's.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.layers.fully_connected import convolved


class ConvUnit(nn.Module):
    """Convolution, ReLU; with `normalize` a BN between them in place of the bias.

    The BN's eps is 1e-3, as in Google's own code and in torchvision.
    """

    def __init__(self, in_channels: int, *, channels: int, normalize: bool, size: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, size, stride=stride, padding=size // 2, bias=not normalize)
        self.bn = nn.BatchNorm2d(channels, eps=1e-3) if normalize else nn.Identity()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, channels, ceil(H / stride), ceil(W / stride))."""
        x = self.bn(self.conv(x))
        activated: Tensor = self.relu(x)
        return activated


class Inception(nn.Module):
    """Parallel branches on one map, whose results are concatenated; the last branch is the pooling.

    branches  from branch1 on; None leaves one out
    """

    parallel_children: ClassVar[tuple[str, ...]] = ("branch1", "branch2", "branch3")  # `stages` follows the pooling

    def __init__(self, *branches: nn.Module | None, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels
        for i, branch in enumerate(branches, start=1):
            if branch is not None:
                self.add_module(f"branch{i}", branch)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, h, w)."""
        return torch.cat([branch(x) for branch in self.children()], dim=1)


def window_logits(x: Tensor, classifier: nn.Linear, *, side: int = 7) -> Tensor:
    """Logits (N, K, h, w) of a map (N, C, H, W), one for the average of every window of side x side positions.

    Where the map is smaller, the window is the whole of it. Dense testing applies a net so, fully convolutionally.
    """
    height, width = x.shape[2], x.shape[3]
    averages = F.avg_pool2d(x, (min(side, height), min(side, width)), stride=1)
    return convolved(classifier, averages)
