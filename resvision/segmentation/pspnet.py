"""PSPNet: Zhao et al. 2017, https://arxiv.org/abs/1612.01105.

The encoders that the authors released have the deep stem (`stem="deep"` of a ResNet), which the text does not describe.
"""

from torch import Tensor, nn

from resvision.layers.init import he_initialize
from resvision.segmentation.parts.convolutions import conv_bn_relu, joined_conv_bn_relu
from resvision.segmentation.parts.encoder import cut
from resvision.segmentation.parts.joined import SideBySide
from resvision.segmentation.parts.side_headed import SideHeadedSegmenter, maps_needed

BINS = (1, 2, 3, 6)
CHANNELS = 512


class PyramidPooling(nn.Module):
    """The map, and its means over grids of 1, 2, 3 and 6 cells a side, each with 1 / 4 of its channels: Figure 3."""

    def __init__(self, in_channels: int, *, bins: tuple[int, ...] = BINS) -> None:
        super().__init__()
        reduced = max(in_channels // len(bins), 1)
        self.levels = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(side), *conv_bn_relu(in_channels, reduced)) for side in bins
        )
        self.out_channels = in_channels + reduced * len(bins)

    def forward(self, maps: Tensor) -> SideBySide:
        """(N, in_channels, H, W) to maps that are (N, out_channels, H, W) side by side."""
        return SideBySide([maps, *(level(maps) for level in self.levels)], like=maps, corners=True)


class PSPNet(SideHeadedSegmenter):
    """Logits from the map and its means over the cells of four grids, interpolated to the size of the images."""


def pspnet(
    backbone: nn.Module, *, num_classes: int, output_stride: int = 8, channels: int = CHANNELS, aux: bool = False
) -> PSPNet:
    """The net over any backbone with a map, with two for the side head; the weights suit every output stride.

    channels  of the convolution after the pyramid
    aux       a side head on the map before the deepest, as the paper trains it: weight 0.4

    Raises MissingStageError for a backbone without the maps, SettingsError for an output stride that it cannot take.
    """
    encoder = cut(backbone, output_stride, count=maps_needed(aux))
    pyramid = PyramidPooling([*encoder.channels.values()][-1])
    convolved = joined_conv_bn_relu(pyramid.out_channels, channels, window=3)
    for part in (pyramid, convolved):
        he_initialize(part)
    classifier = nn.Sequential(pyramid, *convolved, nn.Dropout(0.1), nn.Conv2d(channels, num_classes, 1))
    return PSPNet(encoder, classifier=classifier, num_classes=num_classes, aux=aux)
