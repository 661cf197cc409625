"""Darknet-19 and Darknet-53, the classifiers under YOLOv2 and YOLOv3, and the layers that all nets of Darknet share.

Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242, table 6; 2018, https://arxiv.org/abs/1804.02767, table 1.
Both end in a 1x1 convolution to the classes and an average over positions. The average comes first here, as in
darknet53.cfg, so that the convolution is a linear layer; in darknet19.cfg it comes last, which gives the same logits
and costs more.

Batch normalization is that of Darknet on a GPU: 1e-5 is added to the variance, and the kept statistics move by one
hundredth a step. On a CPU Darknet adds 1e-6 to the deviation instead, which no trained net tells apart. In training
Darknet divides by the deviation of a sample, n - 1 in the place of n; here it is PyTorch's n.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from resvision.layers.fully_connected import convolved
from resvision.layers.init import relu_initialize
from resvision.layers.pooling import CeilMaxPool2d
from resvision.layers.residual_parts import ResidualParts
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

    def residual_parts(self) -> ResidualParts:
        """F and the identity; nothing follows the sum."""
        return ResidualParts(nn.Sequential(self.reduce, self.expand))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same shape."""
        y: Tensor = x + self.expand(self.reduce(x))
        return y


class Darknet(nn.Module):
    """Convolutions, five stages that halve the map each, a global average, one linear layer: any classifier of Darknet.

    maps      the parts before the average by their names, in order: `stage1` to `stage5`, and what comes before them
    channels  those of the maps after the stages
    """

    def __init__(self, maps: Mapping[str, nn.Module], *, channels: Sequence[int], num_classes: int) -> None:
        super().__init__()
        for name, part in maps.items():
            self.add_module(name, part)
        self.parts, self.channels = tuple(maps), tuple(channels)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.channels[-1], num_classes)
        relu_initialize(self, last=self.fc)

    def last_map(self, images: Tensor) -> Tensor:
        """The last map, (N, channels[-1], H / 32, W / 32), sides rounded up."""
        x = images
        for name in self.parts:
            x = self.get_submodule(name)(x)
        return x

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
        """The layers with weights in the order of the net's cfg."""
        return layers_in_order(self)


def stages_in(net: Sequence[nn.Module], *, first: int = 1) -> dict[str, nn.Module]:
    """Stages by their names, `stage1` or that of number `first` before the others."""
    return {f"stage{number}": stage for number, stage in enumerate(net, start=first)}


def pooled_stages(
    plan: Sequence[Sequence[Layer]], *, width: int, full_width: int, batch_norm: bool = True
) -> list[nn.Sequential]:
    """Stages of a pooling and some convolutions each, after a map of `width` channels.

    Map sides that are odd are rounded up, as Darknet does since 2018; before, it rounded down.

    plan        window and channels of the convolutions after each pooling
    full_width  channels of the first map in the paper, in proportion to which all others are scaled
    """
    stages: list[nn.Sequential] = []
    entering = width
    for convolutions in plan:
        layers: list[nn.Module] = [CeilMaxPool2d(2, stride=2)]
        for window, channels in convolutions:
            leaving = scaled(channels, width=width, full=full_width)
            layers.append(ConvBlock(entering, leaving, window, batch_norm=batch_norm))
            entering = leaving
        stages.append(nn.Sequential(*layers))
    return stages


def residual_stages(width: int) -> list[nn.Sequential]:
    """The stages of Darknet-53, table 1 of Redmon and Farhadi 2018: a strided convolution, then residual blocks."""
    stages: list[nn.Sequential] = []
    entering = width
    for repeats, leaving in zip(DARKNET53, _stage_channels(width), strict=True):
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
    """The net of 19 convolutions of Redmon and Farhadi 2016, table 6.

    width  channels of the first convolution, by which all others scale
    """
    stages = pooled_stages(DARKNET19, width=width, full_width=FULL_WIDTH)
    return _after_first(stages, num_classes=num_classes, in_channels=in_channels, width=width)


def darknet53(*, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH) -> Darknet:
    """The net of 52 convolutions and one to the classes of Redmon and Farhadi 2018, table 1.

    width  channels of the first convolution, by which all others scale
    """
    return _after_first(residual_stages(width), num_classes=num_classes, in_channels=in_channels, width=width)


def _after_first(stages: Sequence[nn.Module], *, num_classes: int, in_channels: int, width: int) -> Darknet:
    """The classifier of a first convolution and five stages."""
    maps = {"conv1": ConvBlock(in_channels, width, 3), **stages_in(stages)}
    return Darknet(maps, channels=_stage_channels(width), num_classes=num_classes)


def _stage_channels(width: int) -> list[int]:
    return [scaled(channels, width=width, full=FULL_WIDTH) for channels in STAGE_CHANNELS]
