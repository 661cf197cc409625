"""Convolutions that keep the size, with their normalization and ReLU: dense, or depthwise and then pointwise."""

from torch import nn

from resvision.segmentation.parts.joined import JoinedConv2d


def conv_bn_relu(
    in_channels: int, out_channels: int, *, window: int = 1, rate: int = 1, depthwise: bool = False
) -> nn.Sequential:
    """A convolution without bias, BN, ReLU, from (N, in_channels, H, W) to (N, out_channels, H, W).

    With `depthwise` the window is moved over each channel alone, and a 1x1 convolution follows, each with BN and ReLU:
    Chen et al. 2018, https://arxiv.org/abs/1802.02611, section 3.2.
    """
    if depthwise:
        alone = _conv(in_channels, in_channels, window=window, rate=rate, groups=in_channels)
        return nn.Sequential(*alone, *_conv(in_channels, out_channels))
    return nn.Sequential(*_conv(in_channels, out_channels, window=window, rate=rate))


def joined_conv_bn_relu(in_channels: int, out_channels: int, *, window: int) -> nn.Sequential:
    """The same from SideBySide maps of `in_channels` in all, to (N, out_channels, H, W)."""
    return nn.Sequential(JoinedConv2d(in_channels, out_channels, window), *_bn_relu(out_channels))


def _conv(in_channels: int, out_channels: int, *, window: int = 1, rate: int = 1, groups: int = 1) -> list[nn.Module]:
    padding = rate * (window // 2)
    conv = nn.Conv2d(in_channels, out_channels, window, padding=padding, dilation=rate, groups=groups, bias=False)
    return [conv, *_bn_relu(out_channels)]


def _bn_relu(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
