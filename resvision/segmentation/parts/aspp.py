"""Atrous spatial pyramid pooling: Chen et al. 2017, https://arxiv.org/abs/1706.05587, section 3.3, Figure 5.

Parameter names are torchvision's.
"""

import torch
from torch import Tensor, nn

from resvision.layers.on_cpu.branches import expand_as, run_last_first
from resvision.segmentation.parts.convolutions import conv_bn_relu

torch.fx.wrap("expand_as")  # whose memory layout follows from its input's, which torch.fx does not know

RATES = (6, 12, 18)
"""Atrous rates at output stride 16."""
RATES_STRIDE = 16
CHANNELS = 256


def rates_at(output_stride: int) -> tuple[int, ...]:
    """The rates at which the windows span as many pixels of the image as RATES do at output stride 16."""
    return tuple(rate * RATES_STRIDE // output_stride for rate in RATES)


class ASPP(nn.Module):
    """Five branches on one map, concatenated and projected by a 1x1 convolution.

    The branches are a 1x1 convolution, three atrous 3x3 convolutions, and the mean over all positions.

    depthwise  the atrous convolutions are depthwise, and a 1x1 follows each
    """

    def __init__(
        self,
        in_channels: int,
        *,
        rates: tuple[int, ...],
        channels: int = CHANNELS,
        dropout: float = 0.1,
        depthwise: bool = False,
    ) -> None:
        super().__init__()
        atrous = [conv_bn_relu(in_channels, channels, window=3, rate=rate, depthwise=depthwise) for rate in rates]
        branches = [conv_bn_relu(in_channels, channels), *atrous, ImagePooling(in_channels, channels)]
        self.convs = nn.ModuleList(branches)
        self.project = conv_bn_relu(len(branches) * channels, channels)
        self.project.append(nn.Dropout(dropout))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, channels, H, W)."""
        pyramid = torch.cat(run_last_first(self.convs, maps), dim=1)
        projected: Tensor = self.project(pyramid)
        return projected


class ImagePooling(nn.Sequential):
    """The mean over all positions, a 1x1 convolution, BN, ReLU; every position gets the same result."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *conv_bn_relu(in_channels, channels))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, channels, H, W)."""
        means = maps
        for layer in self:
            means = layer(means)
        return expand_as(means, maps)
