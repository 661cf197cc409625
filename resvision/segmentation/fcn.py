"""FCN over any net, as torchvision has it over dilated ResNets: one small head, and no skips.

Long, Shelhamer and Darrell 2015, https://arxiv.org/abs/1411.4038, is the idea; the nets of that paper are in `fcn_vgg`.
Parameter names are torchvision's.
"""

from torch import nn

from resvision.segmentation.parts.encoder import cut, deepest
from resvision.segmentation.parts.heads import fcn_head
from resvision.segmentation.parts.side_headed import SideHeadedSegmenter, maps_needed


class FCN(SideHeadedSegmenter):
    """Logits from a 3x3 and a 1x1 convolution on the deepest map, interpolated to the size of the images."""


def fcn(backbone: nn.Module, *, num_classes: int, output_stride: int = 8, aux: bool = False) -> FCN:
    """The net over any backbone with a map, or two with the side head (`aux`); the weights suit every output stride.

    output_stride  stride of the deepest map
    aux            a side head on the map before the deepest

    Raises MissingStageError for a backbone without the maps, SettingsError for an output stride that it cannot take.
    """
    encoder = cut(backbone, output_stride, count=maps_needed(aux))
    head = fcn_head(deepest(encoder.channels), num_classes=num_classes)
    return FCN(encoder, classifier=head, num_classes=num_classes, aux=aux, align_corners=False)
