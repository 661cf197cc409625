"""PSPNet: Zhao et al. 2017, https://arxiv.org/abs/1612.01105.

The encoders that the authors released have the deep stem (`stem="deep"` of a ResNet), which the text does not describe,
and the first blocks of conv4 and conv5 have the atrous rates 2 and 4 of their stages.
"""

from torch import Tensor, nn

from resvision.layers.init import he_initialize
from resvision.segmentation.parts.convolutions import conv_bn_relu, fusion_conv_bn_relu
from resvision.segmentation.parts.encoder import FirstBlocks, cut, deepest
from resvision.segmentation.parts.side_headed import SideHeadedSegmenter, maps_needed

BINS = (1, 2, 3, 6)
"""Cells along a side of each grid."""
CHANNELS = 512
WHOLE_MAP = 0
"""Place of the map itself among those that the pyramid gives."""


class PyramidPooling(nn.Module):
    """A map and its means over four grids, each reduced to a quarter of its channels by a 1x1 convolution: Figure 3.

    out_channels  of the map and its means together
    """

    def __init__(self, in_channels: int, *, bins: tuple[int, ...] = BINS) -> None:
        super().__init__()
        reduced = max(in_channels // len(bins), 1)
        self.levels = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(side), *conv_bn_relu(in_channels, reduced)) for side in bins
        )
        self.out_channels = in_channels + reduced * len(bins)

    def forward(self, maps: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) to the same map and its means, (N, in_channels / 4, side, side) for each bin."""
        return [maps, *(level(maps) for level in self.levels)]


class PSPNet(SideHeadedSegmenter):
    """Logits from the deepest map and its means over four grids, interpolated to the size of the images: Figure 3."""


def pspnet(
    backbone: nn.Module,
    *,
    num_classes: int,
    output_stride: int = 8,
    channels: int = CHANNELS,
    first_blocks: FirstBlocks = "stage",
    aux: bool = False,
) -> PSPNet:
    """The net over any backbone with a map, or two with the side head; the weights suit every output stride.

    output_stride  stride of the deepest map
    channels       channels of the convolution that fuses the pyramid
    first_blocks   blocks of stages that lost their stride have the atrous rate of their own stage, or of the former one
    aux            a side head on the map before the deepest, as the paper trains it: weight 0.4

    Raises MissingStageError for a backbone without the maps, SettingsError for an output stride that it cannot take.
    """
    encoder = cut(backbone, output_stride, count=maps_needed(aux), first_blocks=first_blocks)
    pyramid = PyramidPooling(deepest(encoder.channels))
    fusion = fusion_conv_bn_relu(pyramid.out_channels, channels, window=3, reference=WHOLE_MAP, align_corners=True)
    for part in (pyramid, fusion):
        he_initialize(part)
    classifier = nn.Sequential(pyramid, *fusion, nn.Dropout(0.1), nn.Conv2d(channels, num_classes, 1))
    return PSPNet(encoder, classifier=classifier, num_classes=num_classes, aux=aux)
