"""Convolutions that keep the size, with their normalization and ReLU: dense, or depthwise and then pointwise."""

from torch import nn

from resvision.segmentation.parts.fusion import FusionConv2d


def conv_bn_relu(
    in_channels: int, out_channels: int, *, window: int = 1, rate: int = 1, depthwise: bool = False
) -> nn.Sequential:
    """A convolution without bias, BN, ReLU, from (N, in_channels, H, W) to (N, out_channels, H, W).

    With `depthwise` each channel is convolved alone, and a 1x1 convolution follows, each with BN and ReLU:
    Chen et al. 2018, https://arxiv.org/abs/1802.02611, section 3.2.
    """
    channels, groups = (in_channels, in_channels) if depthwise else (out_channels, 1)
    padding = rate * (window // 2)
    conv = nn.Conv2d(in_channels, channels, window, padding=padding, dilation=rate, groups=groups, bias=False)
    return _with_bn_relu(conv, out_channels, depthwise=depthwise)


def fusion_conv_bn_relu(
    in_channels: int,
    out_channels: int,
    *,
    window: int,
    reference: int,
    align_corners: bool,
    depthwise: bool = False,
) -> nn.Sequential:
    """A convolution of the concatenation of several maps, BN, ReLU, to (N, out_channels, H, W): see `FusionConv2d`.

    With `depthwise` a 1x1 convolution follows, as in `conv_bn_relu`.
    """
    conv = FusionConv2d(
        in_channels,
        in_channels if depthwise else out_channels,
        window,
        reference=reference,
        align_corners=align_corners,
        depthwise=depthwise,
    )
    return _with_bn_relu(conv, out_channels, depthwise=depthwise)


def _with_bn_relu(conv: nn.Conv2d, out_channels: int, *, depthwise: bool) -> nn.Sequential:
    """The convolution, BN, ReLU; after a depthwise one a 1x1 convolution, BN, ReLU."""
    layers: list[nn.Module] = [conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU(inplace=True)]
    if depthwise:
        pointwise = nn.Conv2d(conv.out_channels, out_channels, 1, bias=False)
        layers += [pointwise, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
