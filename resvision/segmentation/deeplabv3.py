"""DeepLabv3: Chen et al. 2017, https://arxiv.org/abs/1706.05587.

Two heads over any net. "2017" is the paper's, over a ResNet with the plain stem of one 7x7 convolution where the
released ones have three of 3x3. Those stride in the last block of a stage, ours in the first of the next; so each stage
has one atrous rate there, and `first_blocks` gives ours the same rates. "torchvision" is torchvision's, with its
parameter names: output stride 8, no multi-grid, and a 3x3 convolution more before the classifier.
"""

from typing import Literal, NamedTuple, get_args

from torch import nn

from resvision.core.errors import SettingsError
from resvision.layers.init import he_initialize
from resvision.segmentation.parts.aspp import ASPP, CHANNELS, rates_at
from resvision.segmentation.parts.convolutions import conv_bn_relu
from resvision.segmentation.parts.encoder import FirstBlocks, apply_multi_grid, cut, deepest
from resvision.segmentation.parts.side_headed import SideHeadedSegmenter, maps_needed

Head = Literal["torchvision", "2017"]


class HeadSettings(NamedTuple):
    """The settings in which the two heads differ.

    output_stride  of the deepest map, when none is asked for
    multi_grid     whether the rates of the last three blocks differ; None: where the last stage has three
    dropout        after the pyramid's projection
    convolves      a 3x3 convolution stands between pyramid and classifier
    align_corners  of the interpolation of the logits
    first_blocks   of stages that lost their stride have the atrous rate of their own stage, or of the former one
    """

    output_stride: int
    multi_grid: bool | None
    dropout: float
    convolves: bool
    align_corners: bool
    first_blocks: FirstBlocks


HEADS: dict[Head, HeadSettings] = {
    "torchvision": HeadSettings(
        output_stride=8,
        multi_grid=False,
        dropout=0.5,
        convolves=True,
        align_corners=False,
        first_blocks="former",
    ),
    "2017": HeadSettings(
        output_stride=16,
        multi_grid=None,
        dropout=0.1,
        convolves=False,
        align_corners=True,
        first_blocks="stage",
    ),
}


class DeepLabV3(SideHeadedSegmenter):
    """Logits from the atrous spatial pyramid on the deepest map, interpolated to the size of the images: Figure 5."""


def pyramid_head(
    in_channels: int, *, num_classes: int, output_stride: int, channels: int, settings: HeadSettings
) -> nn.Sequential:
    """The pyramid and the classifier, from (N, in_channels, H, W) to logits (N, K, H, W)."""
    parts: list[nn.Module] = [
        ASPP(in_channels, rates=rates_at(output_stride), channels=channels, dropout=settings.dropout),
        *(conv_bn_relu(channels, channels, window=3) if settings.convolves else ()),
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
    first_blocks: FirstBlocks | None = None,
    aux: bool = False,
) -> DeepLabV3:
    """The net over any backbone with a map, or two with the side head; the weights suit every output stride.

    output_stride  of the deepest map: 16 or 8; None: 16 with the paper's head, 8 with torchvision's
    head           pyramid of the paper, or of torchvision
    channels       of the pyramid
    multi_grid     multiply the rates of the last three blocks by 1, 2, 4; None: with the paper's head, where the last
                   stage has three
    first_blocks   of stages that lost their stride have the atrous rate of their own stage, or of the former one; None:
                   stage with the paper's head, former with torchvision's
    aux            a side head on the map before the deepest

    Raises MissingStageError for a backbone without the maps, SettingsError for an output stride that it cannot take and
    for another head.
    """
    if head not in get_args(Head):
        raise SettingsError(f"head {head!r}: choices are {', '.join(get_args(Head))}")
    settings = HEADS[head]
    stride = settings.output_stride if output_stride is None else output_stride
    rates = settings.first_blocks if first_blocks is None else first_blocks
    encoder = cut(backbone, stride, count=maps_needed(aux), first_blocks=rates)
    apply_multi_grid(encoder, backbone, wanted=settings.multi_grid if multi_grid is None else multi_grid)
    classifier = pyramid_head(
        deepest(encoder.channels),
        num_classes=num_classes,
        output_stride=stride,
        channels=channels,
        settings=settings,
    )
    return DeepLabV3(
        encoder, classifier=classifier, num_classes=num_classes, aux=aux, align_corners=settings.align_corners
    )
