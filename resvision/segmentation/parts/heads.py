"""The small head that torchvision's FCN ends in, and that trains the middle of deeper nets."""

from torch import nn

from resvision.layers.init import he_initialize
from resvision.segmentation.parts.convolutions import conv_bn_relu


def fcn_head(in_channels: int, *, num_classes: int) -> nn.Sequential:
    """A 3x3 convolution to a quarter of the maps, BN, ReLU, dropout 0.1, a 1x1 convolution to logits of the same size.

    Parameter names are torchvision's. As side head: Zhao et al. 2017, https://arxiv.org/abs/1612.01105, section 3.3.
    """
    channels = max(in_channels // 4, 1)
    hidden = conv_bn_relu(in_channels, channels, window=3)
    he_initialize(hidden)
    return nn.Sequential(*hidden, nn.Dropout(0.1), nn.Conv2d(channels, num_classes, 1))
