"""DeepLabv3+: Chen et al. 2018, https://arxiv.org/abs/1802.02611.

Any net with maps at stride 4 and deeper is the encoder; over a ResNet with three blocks in its last stage it is the
paper's, but for the stem: one 7x7 convolution, where the released ResNets have three of 3x3.
"""

from torch import Tensor, nn

from resvision.layers.init import he_initialize
from resvision.segmentation.parts.aspp import ASPP, CHANNELS, rates_at
from resvision.segmentation.parts.convolutions import conv_bn_relu, fusion_conv_bn_relu
from resvision.segmentation.parts.encoder import FirstBlocks, apply_multi_grid, cut, deepest
from resvision.segmentation.parts.upsampling import resized

LOW_LEVEL_CHANNELS = 48
LOW_LEVEL = "C2"
FINE = 1
"""Place of the fine map among those that the decoder takes."""


class DeepLabV3Plus(nn.Module):
    """DeepLabv3 as encoder, and a decoder that fuses its map with the fine one of stride 4: Figure 2.

    aspp        the pyramid on the deepest map
    low_level   a 1x1 convolution that reduces the fine map
    decoder     two 3x3 convolutions, of which the first takes the coarse map, interpolated, and the fine one
    classifier  a 1x1 convolution to logits
    """

    auxiliary: tuple[str, ...] = ()

    def __init__(
        self,
        backbone: nn.Module,
        *,
        num_classes: int,
        output_stride: int = 16,
        channels: int = CHANNELS,
        multi_grid: bool | None = None,
        first_blocks: FirstBlocks = "stage",
        depthwise: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = cut(backbone, output_stride, needs=LOW_LEVEL, first_blocks=first_blocks)
        apply_multi_grid(self.backbone, backbone, wanted=multi_grid)
        widths = self.backbone.channels
        self.aspp = ASPP(deepest(widths), rates=rates_at(output_stride), channels=channels, depthwise=depthwise)
        self.low_level = conv_bn_relu(widths[LOW_LEVEL], LOW_LEVEL_CHANNELS)
        self.decoder = nn.Sequential(
            fusion_conv_bn_relu(
                channels + LOW_LEVEL_CHANNELS,
                channels,
                window=3,
                reference=FINE,
                align_corners=True,
                depthwise=depthwise,
            ),
            conv_bn_relu(channels, channels, window=3, depthwise=depthwise),
        )
        for part in (self.aspp, self.low_level, self.decoder):
            he_initialize(part)
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K, H, W) of images (N, C, H, W)."""
        maps = self.backbone(images)
        coarse = self.aspp(deepest(maps))
        fine = self.low_level(maps[LOW_LEVEL])
        decoded = self.decoder([coarse, fine])
        logits = self.classifier(decoded)
        return resized(logits, images, align_corners=True)


def deeplabv3plus(
    backbone: nn.Module,
    *,
    num_classes: int,
    output_stride: int = 16,
    channels: int = CHANNELS,
    multi_grid: bool | None = None,
    first_blocks: FirstBlocks = "stage",
    depthwise: bool = False,
) -> DeepLabV3Plus:
    """The net over any backbone with a map C2 and a deeper one; the weights are the same at every output stride.

    output_stride  of the deepest map: 16, in the paper also 8
    channels       of the pyramid and the decoder
    multi_grid     multiply the rates of the last three blocks by 1, 2, 4; None: where the last stage has three
    first_blocks   of stages that lost their stride have the atrous rate of their own stage, or of the former one; of
                   ResNets, since blocks of Xception stride at their end
    depthwise      the 3x3 convolutions of the pyramid and the decoder are depthwise, as over Xception

    Raises MissingStageError for a backbone without these maps, SettingsError for an output stride that it cannot take.
    """
    return DeepLabV3Plus(
        backbone,
        num_classes=num_classes,
        output_stride=output_stride,
        channels=channels,
        multi_grid=multi_grid,
        first_blocks=first_blocks,
        depthwise=depthwise,
    )
