"""Darknet-19 and Darknet-53, the classifiers under YOLOv2 and YOLOv3, and the layers that all nets of Darknet share.

Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242, table 6; 2018, https://arxiv.org/abs/1804.02767, table 1.
Both end in a 1x1 convolution to the classes and an average over positions. The average comes first here, as in
darknet53.cfg, so that the convolution is a linear layer; in darknet19.cfg it comes last, which gives the same logits
and costs more.

Batch normalization is that of Darknet on a GPU: 1e-5 is added to the variance, and the kept statistics move by one
hundredth a step. On a CPU Darknet adds 1e-6 to the deviation instead, which no trained net tells apart. In training
Darknet divides by the deviation of a sample, n - 1 in the place of n; here it is PyTorch's n.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from resvision.layers.fully_connected import convolved
from resvision.layers.init import relu_initialize
from resvision.layers.pooling import CeilMaxPool2d
from resvision.layers.sizes import scaled

FULL_WIDTH = 32
SLOPE = 0.1
"""The slope of negative values in every activation."""

Layer = tuple[int, int]
"""Window and channels of a convolution."""

DARKNET19: tuple[tuple[Layer, ...], ...] = (
    ((3, 64),),
    ((3, 128), (1, 64), (3, 128)),
    ((3, 256), (1, 128), (3, 256)),
    ((3, 512), (1, 256), (3, 512), (1, 256), (3, 512)),
    ((3, 1024), (1, 512), (3, 1024), (1, 512), (3, 1024)),
)
"""The convolutions after each of the five poolings."""

DARKNET53 = (1, 2, 8, 8, 4)
"""The number of residual blocks after each of the five strides."""

STAGE_CHANNELS = (64, 128, 256, 512, 1024)


@runtime_checkable
class DarknetOrdered(Protocol):
    """A net whose weights stand in Darknet's files."""

    def darknet_order(self) -> Sequence[nn.Module]:
        """The layers with weights in the order of the net's cfg: convolutional blocks, convolutions, linear layers."""
        ...


class ConvBlock(nn.Module):
    """Darknet's convolutional layer: a convolution, batch normalization in the place of a bias, leaky ReLU.

    The window is padded so that a stride of 1 keeps the size of the map.

    batch_norm  False: a bias, as in the nets before YOLOv2
    """

    def __init__(
        self, in_channels: int, channels: int, window: int, *, stride: int = 1, batch_norm: bool = True
    ) -> None:
        super().__init__()
        padding = window // 2
        self.conv = nn.Conv2d(in_channels, channels, window, stride=stride, padding=padding, bias=not batch_norm)
        self.bn = nn.BatchNorm2d(channels, eps=1e-5, momentum=0.01) if batch_norm else nn.Identity()
        self.leaky = nn.LeakyReLU(SLOPE, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, channels, ceil(H / stride), ceil(W / stride))."""
        y: Tensor = self.leaky(self.bn(self.conv(x)))
        return y


class ResidualBlock(nn.Module):
    """x + F(x) with a 1x1 convolution to half the channels and a 3x3 back in F; nothing follows the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = max(1, channels // 2)
        self.reduce = ConvBlock(channels, half, 1)
        self.expand = ConvBlock(half, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same shape."""
        y: Tensor = x + self.expand(self.reduce(x))
        return y


class Darknet(nn.Module):
    """A first convolution, five stages that halve the map each, a global average, one linear layer.

    stages  `pooled_stages` or `residual_stages` for the same width
    width   channels of the first convolution
    """

    def __init__(self, stages: Sequence[nn.Sequential], *, num_classes: int, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = ConvBlock(in_channels, width, 3)
        self.stage1, self.stage2, self.stage3, self.stage4, self.stage5 = stages
        self.channels = [_scaled(channels, width) for channels in STAGE_CHANNELS]
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.channels[-1], num_classes)
        relu_initialize(self, last=self.fc)

    def last_map(self, images: Tensor) -> Tensor:
        """The last map, (N, 32 * width, H / 32, W / 32), sides rounded up."""
        x = self.stage2(self.stage1(self.conv1(images)))
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
        """The layers with weights in the order of darknet19.cfg or darknet53.cfg."""
        return layers_in_order(self)


def pooled_stages(width: int) -> list[nn.Sequential]:
    """The stages of Darknet-19, table 6 of Redmon and Farhadi 2016: a pooling, then 3x3 convolutions with 1x1 between.

    Map sides that are odd are rounded up, as Darknet does since 2018; before, it rounded down.
    """
    stages: list[nn.Sequential] = []
    entering = width
    for convolutions in DARKNET19:
        layers: list[nn.Module] = [CeilMaxPool2d(2, stride=2)]
        for window, channels in convolutions:
            leaving = _scaled(channels, width)
            layers.append(ConvBlock(entering, leaving, window))
            entering = leaving
        stages.append(nn.Sequential(*layers))
    return stages


def residual_stages(width: int) -> list[nn.Sequential]:
    """The stages of Darknet-53, table 1 of Redmon and Farhadi 2018: a strided convolution, then residual blocks."""
    stages: list[nn.Sequential] = []
    entering = width
    for repeats, channels in zip(DARKNET53, STAGE_CHANNELS, strict=True):
        leaving = _scaled(channels, width)
        blocks = [ResidualBlock(leaving) for _ in range(repeats)]
        stages.append(nn.Sequential(ConvBlock(entering, leaving, 3, stride=2), *blocks))
        entering = leaving
    return stages


def layers_in_order(net: nn.Module) -> list[nn.Module]:
    """The layers with weights in the order in which a net registers them, a convolutional block as one."""
    blocks: list[nn.Module] = []
    for module in net.children():
        if isinstance(module, ConvBlock | nn.Conv2d | nn.Linear):
            blocks.append(module)
        else:
            blocks += layers_in_order(module)
    return blocks


def darknet19(*, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH) -> Darknet:
    """The net of 19 convolutions, with `width` channels in the first.

    width  channels of the first convolution, by which all others scale
    """
    return Darknet(pooled_stages(width), num_classes=num_classes, in_channels=in_channels, width=width)


def darknet53(*, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH) -> Darknet:
    """The net of 52 convolutions and one to the classes, with `width` channels in the first.

    width  channels of the first convolution, by which all others scale
    """
    return Darknet(residual_stages(width), num_classes=num_classes, in_channels=in_channels, width=width)


def _scaled(channels: int, width: int) -> int:
    return scaled(channels, width=width, full=FULL_WIDTH)
