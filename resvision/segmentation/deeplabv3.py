"""DeepLabv3: Chen et al. 2017, https://arxiv.org/abs/1706.05587.

Two heads over any net. "2017" is the paper's, over a ResNet with the plain stem of one 7x7 convolution where the
released ones have three of 3x3. "torchvision" is torchvision's, with its parameter names: output stride 8, no
multi-grid, and a 3x3 convolution more before the classifier.
"""

from typing import Literal, NamedTuple, get_args

from torch import nn

from resvision.core.errors import SettingsError
from resvision.layers.init import he_initialize
from resvision.segmentation.parts.aspp import ASPP, CHANNELS, rates_at
from resvision.segmentation.parts.convolutions import conv_bn_relu
from resvision.segmentation.parts.encoder import apply_multi_grid, cut
from resvision.segmentation.parts.side_headed import SideHeadedSegmenter, maps_needed

Head = Literal["torchvision", "2017"]


class Ways(NamedTuple):
    """In what the two heads differ.

    output_stride  when none is asked for
    multi_grid     None: where the last stage has three blocks
    dropout        in the pyramid
    convolved      a 3x3 convolution between pyramid and classifier
    corners        of the interpolation of the logits
    """

    output_stride: int
    multi_grid: bool | None
    dropout: float
    convolved: bool
    corners: bool


WAYS: dict[Head, Ways] = {
    "torchvision": Ways(output_stride=8, multi_grid=False, dropout=0.5, convolved=True, corners=False),
    "2017": Ways(output_stride=16, multi_grid=None, dropout=0.1, convolved=False, corners=True),
}


class DeepLabV3(SideHeadedSegmenter):
    """Logits from the atrous spatial pyramid on the deepest map, interpolated to the size of the images: Figure 5."""


def pyramid_head(in_channels: int, *, num_classes: int, output_stride: int, channels: int, ways: Ways) -> nn.Sequential:
    """The pyramid and the classifier, from (N, in_channels, H, W) to logits (N, K, H, W)."""
    parts: list[nn.Module] = [
        ASPP(in_channels, rates=rates_at(output_stride), channels=channels, dropout=ways.dropout),
        *(conv_bn_relu(channels, channels, window=3) if ways.convolved else ()),
    ]
    for part in parts:
        he_initialize(part)
    return nn.Sequential(*parts, nn.Conv2d(channels, num_classes, 1))


def deeplabv3(
    backbone: nn.Module,
    *,
    num_classes: int,
    output_stride: int | None = None,
    head: Head = "torchvision",
    channels: int = CHANNELS,
    multi_grid: bool | None = None,
    aux: bool = False,
) -> DeepLabV3:
    """The net over any backbone with a map, with two for the side head; the weights suit every output stride.

    output_stride  of the deepest map: 16 or 8; None: 16 with the paper's head, 8 with torchvision's
    channels       of the pyramid
    multi_grid     rates times 1, 2, 4 in the three last blocks; None: with the paper's head, where the last stage has
                   three
    aux            a side head on the map before the deepest

    Raises MissingStageError for a backbone without the maps, SettingsError for an output stride that it cannot take and
    for another head.
    """
    if head not in get_args(Head):
        raise SettingsError(f"head {head!r}: choices are {', '.join(get_args(Head))}")
    ways = WAYS[head]
    stride = ways.output_stride if output_stride is None else output_stride
    encoder = cut(backbone, stride, count=maps_needed(aux))
    apply_multi_grid(encoder, backbone, wanted=ways.multi_grid if multi_grid is None else multi_grid)
    deepest = [*encoder.channels.values()][-1]
    classifier = pyramid_head(deepest, num_classes=num_classes, output_stride=stride, channels=channels, ways=ways)
    return DeepLabV3(encoder, classifier=classifier, num_classes=num_classes, aux=aux, corners=ways.corners)
