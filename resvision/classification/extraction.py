"""The classifier under YOLO: Redmon et al. 2016, https://arxiv.org/abs/1506.02640, section 2.2. Darknet's "Extraction".

The first 20 convolutions of YOLO, an average over positions and one fully connected layer, trained on ImageNet at
224 px. The paper has no batch normalization; the released extraction.cfg has, and a convolution to the classes before
the average.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from resvision.classification.darknet import ConvBlock, Layer, layers_in_order
from resvision.layers.fully_connected import convolved
from resvision.layers.init import relu_initialize
from resvision.layers.pooling import CeilMaxPool2d
from resvision.layers.sizes import scaled

FULL_WIDTH = 64

STAGES: tuple[tuple[Layer, ...], ...] = (
    ((3, 192),),
    ((1, 128), (3, 256), (1, 256), (3, 512)),
    (*(((1, 256), (3, 512)) * 4), (1, 512), (3, 1024)),
    ((1, 512), (3, 1024)) * 2,
)
"""Window and channels of the convolutions after each of the four poolings."""


class Extraction(nn.Module):
    """A strided 7x7 convolution, four stages that begin with a pooling, a global average, one linear layer.

    width       channels of the first convolution, 64 in the paper; all other maps are in proportion
    batch_norm  normalize after each convolution, as released
    """

    def __init__(
        self, *, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH, batch_norm: bool = False
    ) -> None:
        super().__init__()
        self.stage1 = ConvBlock(in_channels, width, 7, stride=2, batch_norm=batch_norm)
        self.stage2, self.stage3, self.stage4, self.stage5 = _stages(width, batch_norm=batch_norm)
        self.channels = [width, *(_scaled(convolutions[-1][1], width) for convolutions in STAGES)]
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.channels[-1], num_classes)
        relu_initialize(self, last=self.fc)

    def last_map(self, images: Tensor) -> Tensor:
        """The last map, (N, 16 * width, H / 32, W / 32), sides rounded up."""
        x = self.stage2(self.stage1(images))
        last: Tensor = self.stage5(self.stage4(self.stage3(x)))
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W), at any size from 1 pixel on."""
        logits: Tensor = self.fc(self.avgpool(self.last_map(images)).flatten(1))
        return logits

    def class_map(self, images: Tensor) -> Tensor:
        """Logits at each position of the last map, (N, K, h, w); their mean over the positions is `forward`."""
        return convolved(self.fc, self.last_map(images))

    def stage_ends(self) -> dict[str, int]:
        """The children after which `stages` takes C1 to C5, with their channels."""
        return {f"stage{number}": channels for number, channels in enumerate(self.channels, start=1)}

    def darknet_order(self) -> Sequence[nn.Module]:
        """The layers with weights in the order of extraction.cfg."""
        return layers_in_order(self)


def _stages(width: int, *, batch_norm: bool) -> list[nn.Sequential]:
    stages: list[nn.Sequential] = []
    entering = width
    for convolutions in STAGES:
        layers: list[nn.Module] = [CeilMaxPool2d(2, stride=2)]
        for window, channels in convolutions:
            leaving = _scaled(channels, width)
            layers.append(ConvBlock(entering, leaving, window, batch_norm=batch_norm))
            entering = leaving
        stages.append(nn.Sequential(*layers))
    return stages


def _scaled(channels: int, width: int) -> int:
    return scaled(channels, width=width, full=FULL_WIDTH)


def extraction(
    *, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH, batch_norm: bool = False
) -> Extraction:
    """The net of 20 convolutions and one fully connected layer, with `width` channels in the first convolution.

    width       channels of the first convolution, by which all others scale
    batch_norm  normalize after each convolution
    """
    return Extraction(num_classes=num_classes, in_channels=in_channels, width=width, batch_norm=batch_norm)
