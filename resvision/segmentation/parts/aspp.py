"""Atrous spatial pyramid pooling: Chen et al. 2017, https://arxiv.org/abs/1706.05587, section 3.3, Figure 5.

Parameter names are torchvision's.
"""

import torch
from torch import Tensor, nn

from resvision.segmentation.parts.convolutions import conv_bn_relu

RATES = (6, 12, 18)
"""At output stride 16."""
RATES_STRIDE = 16
CHANNELS = 256


def rates_at(output_stride: int) -> tuple[int, ...]:
    """The rates with which the windows see as many pixels of the image as at output stride 16."""
    return tuple(rate * RATES_STRIDE // output_stride for rate in RATES)


class ASPP(nn.Module):
    """What 1x1, three atrous 3x3 convolutions and the mean over all positions see, joined by a 1x1 convolution.

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
        seen = [branch(maps) for branch in reversed(self.convs)]  # the pooling's gradient, another layout, comes last
        joined: Tensor = self.project(torch.cat(seen[::-1], dim=1))
        return joined


class ImagePooling(nn.Sequential):
    """The mean over all positions, 1x1 convolution, BN, ReLU, given to every position."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), *conv_bn_relu(in_channels, channels))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, channels, H, W)."""
        mean = maps
        for layer in self:
            mean = layer(mean)
        nhwc = maps.is_contiguous(memory_format=torch.channels_last)
        everywhere = mean.expand(-1, -1, *maps.shape[-2:])  # in the layout of the other maps, which are joined with it
        return everywhere.contiguous(memory_format=torch.channels_last if nhwc else torch.contiguous_format)
