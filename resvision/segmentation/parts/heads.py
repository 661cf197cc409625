"""The small head in which torchvision's FCN ends, and by which deeper nets are trained in their middle."""

from torch import nn

from resvision.layers.init import he_initialize
from resvision.segmentation.parts.convolutions import conv_bn_relu


def fcn_head(in_channels: int, *, num_classes: int) -> nn.Sequential:
    """A head from (N, in_channels, H, W) to logits (N, K, H, W): 3x3 convolution, BN, ReLU, dropout, 1x1 convolution.

    The 3x3 convolution leaves a quarter of the channels; dropout is 0.1.

    Parameter names are torchvision's. As side head: Zhao et al. 2017, https://arxiv.org/abs/1612.01105, section 3.3.
    """
    channels = max(in_channels // 4, 1)
    hidden = conv_bn_relu(in_channels, channels, window=3)
    he_initialize(hidden)
    return nn.Sequential(*hidden, nn.Dropout(0.1), nn.Conv2d(channels, num_classes, 1))
