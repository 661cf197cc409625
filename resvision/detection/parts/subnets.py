"""Subnets: small nets that are applied to every map of a pyramid with the same weights.

Lin et al. 2017, Focal Loss, https://arxiv.org/abs/1708.02002, section 4. Parameter names are torchvision's.
"""

import math
from typing import cast

from torch import Tensor, nn

PAPER_CHANNELS = 256
DEPTH = 4
"""Convolutions before the last."""


class Subnet(nn.Module):
    """Four 3x3 convolutions with ReLU, and one that gives the result; the same at every level of the pyramid.

    last  the name of the last convolution
    """

    def __init__(self, channels: int, *, results: int, last: str, bias: float = 0.0) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            *(nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True)) for _ in range(DEPTH))
        )
        self.last = last
        self.add_module(last, nn.Conv2d(channels, results, 3, padding=1))
        initialize(self, channels)
        nn.init.constant_(cast(Tensor, self.get_submodule(last).bias), bias)

    def forward(self, x: Tensor) -> Tensor:
        """A map of the pyramid, (N, C, h, w), to (N, results, h, w)."""
        results: Tensor = self.get_submodule(self.last)(self.conv(x))
        return results


def initialize(subnet: nn.Module, channels: int) -> None:
    """Draw the convolutions of a subnet from N(0, 0.01^2), biases 0, in place.

    The deviation is the paper's at 256 channels, and grows as the square root of their number falls, so that a narrow
    subnet passes on as much of its signal.
    """
    for module in subnet.modules():
        if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
            nn.init.normal_(module.weight, std=0.01 * math.sqrt(PAPER_CHANNELS / channels))
            assert module.bias is not None
            nn.init.zeros_(module.bias)


def per_anchor(level: Tensor, values: int) -> Tensor:
    """The raw map of a level, (N, A * values, h, w), as (N, h * w * A, values): a view where channels lie together."""
    return level.permute(0, 2, 3, 1).reshape(level.shape[0], -1, values)
