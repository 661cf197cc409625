"""ResNet for ImageNet and its plain counterpart: He et al. 2015, https://arxiv.org/abs/1512.03385.

The default differs from the paper in one thing: the bottleneck strides in its 3x3 convolution (v1.5, as
fb.resnet.torch and torchvision do), not in its first 1x1; `stride_in="1x1"` is the paper's v1 with the same
weights. Parameter names are torchvision's.
"""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal, get_args

from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.layers.fully_connected import convolved
from resvision.layers.init import he_initialize
from resvision.layers.norms import NormOption, make_norm
from resvision.layers.residual_parts import ResidualParts
from resvision.layers.shortcuts import ShortcutOption, make_shortcut

StrideIn = Literal["1x1", "3x3"]
Stem = Literal["plain", "deep"]


def conv3x3(in_channels: int, out_channels: int, *, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size at stride 1, without bias where a BN follows."""
    return nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=bias)


def conv1x1(in_channels: int, out_channels: int, *, stride: int = 1, bias: bool = False) -> nn.Conv2d:
    """A 1x1 convolution, without bias where a BN follows."""
    return nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=bias)


class BasicBlock(nn.Module):
    """relu(F(x) + shortcut(x)) with two 3x3 convolutions in F; relu(F(x)) in a plain net."""

    expansion: ClassVar[int] = 1
    parallel_children: ClassVar[tuple[str, ...]] = ("downsample",)

    def __init__(
        self,
        in_channels: int,
        *,
        channels: int,
        stride: int = 1,
        shortcut: ShortcutOption = "B",
        stride_in: StrideIn = "3x3",  # the block has no 1x1: both choices are the same here
        norm: NormOption = "batch",
    ) -> None:
        super().__init__()
        bias, normalize = norm == "none", norm == "batch"
        self.conv1 = conv3x3(in_channels, channels, stride=stride, bias=bias)
        self.bn1 = make_norm(norm, channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(channels, channels, bias=bias)
        self.bn2 = make_norm(norm, channels)
        self.downsample = make_shortcut(
            shortcut, in_channels, out_channels=channels, stride=stride, normalize=normalize
        )

    def last_norm(self) -> nn.Module:
        """The normalization that ends F."""
        return self.bn2

    def branch(self, x: Tensor) -> Tensor:
        """F(x), before the addition."""
        y: Tensor = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return y

    def residual_parts(self) -> ResidualParts:
        """F, the shortcut, and the activation behind the sum."""
        return ResidualParts(self.branch, self.downsample, self.relu)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, channels, ceil(H / stride), ceil(W / stride))."""
        y = self.branch(x)
        if self.downsample is not None:
            y = y + self.downsample(x)
        activated: Tensor = self.relu(y)
        return activated


class Bottleneck(nn.Module):
    """relu(F(x) + shortcut(x)) with 1x1, 3x3, 1x1 convolutions in F; the last has four times the channels."""

    expansion: ClassVar[int] = 4
    parallel_children: ClassVar[tuple[str, ...]] = ("downsample",)

    def __init__(
        self,
        in_channels: int,
        *,
        channels: int,
        stride: int = 1,
        shortcut: ShortcutOption = "B",
        stride_in: StrideIn = "3x3",
        norm: NormOption = "batch",
    ) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        bias, normalize = norm == "none", norm == "batch"
        self.conv1 = conv1x1(in_channels, channels, stride=stride if stride_in == "1x1" else 1, bias=bias)
        self.bn1 = make_norm(norm, channels)
        self.conv2 = conv3x3(channels, channels, stride=stride if stride_in == "3x3" else 1, bias=bias)
        self.bn2 = make_norm(norm, channels)
        self.conv3 = conv1x1(channels, out_channels, bias=bias)
        self.bn3 = make_norm(norm, out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = make_shortcut(
            shortcut, in_channels, out_channels=out_channels, stride=stride, normalize=normalize
        )

    def last_norm(self) -> nn.Module:
        """The normalization that ends F."""
        return self.bn3

    def branch(self, x: Tensor) -> Tensor:
        """F(x), before the addition."""
        y: Tensor = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return y

    def residual_parts(self) -> ResidualParts:
        """F, the shortcut, and the activation behind the sum."""
        return ResidualParts(self.branch, self.downsample, self.relu)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, 4 * channels, ceil(H / stride), ceil(W / stride))."""
        y = self.branch(x)
        if self.downsample is not None:
            y = y + self.downsample(x)
        activated: Tensor = self.relu(y)
        return activated


def deep_stem(in_channels: int, *, width: int) -> nn.Sequential:
    """Three 3x3 convolutions, with BN and ReLU between, in place of one of 7x7; it halves the size, to 2 * width maps.

    Not in the paper: the stem of the nets that Zhao et al. 2017, https://arxiv.org/abs/1612.01105, released.
    """
    return nn.Sequential(
        conv3x3(in_channels, width, stride=2),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        conv3x3(width, width),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        conv3x3(width, 2 * width),
    )


Block = type[BasicBlock] | type[Bottleneck]


def stack_blocks(
    block: Block,
    count: int,
    *,
    in_channels: int,
    channels: int,
    stride: int,
    shortcut: ShortcutOption,
    stride_in: StrideIn = "3x3",
    norm: NormOption = "batch",
) -> nn.Sequential:
    """One stage: `count` blocks, of which the first strides."""
    blocks: list[nn.Module] = []
    for i in range(count):
        entering = in_channels if i == 0 else channels * block.expansion
        blocks.append(
            block(
                entering,
                channels=channels,
                stride=stride if i == 0 else 1,
                shortcut=shortcut,
                stride_in=stride_in,
                norm=norm,
            )
        )
    return nn.Sequential(*blocks)


def zero_branches(net: nn.Module) -> None:
    """Zero the last normalization's scale in every F, so that each block starts as its shortcut.

    Not in the paper: Goyal et al. 2017, https://arxiv.org/abs/1706.02677, section 5.1.
    Raises SettingsError for a plain net, whose blocks would then give zeros, and for one without normalization.
    """
    for module in net.modules():
        if isinstance(module, BasicBlock | Bottleneck):
            if module.downsample is None:
                raise SettingsError("zero_init: a plain net has no shortcuts to start from; leave it False")
            norm = module.last_norm()
            if not isinstance(norm, nn.BatchNorm2d):
                raise SettingsError("zero_init: a net without normalization has no scales to zero; leave it False")
            nn.init.zeros_(norm.weight)


class ResNet(nn.Module):
    """The ImageNet net: a stem of one 7x7 convolution, four stages of blocks, a global average, one linear layer."""

    def __init__(
        self,
        counts: Sequence[int],
        *,
        block: Block,
        num_classes: int,
        in_channels: int = 3,
        width: int = 64,
        shortcut: ShortcutOption = "B",
        stride_in: StrideIn = "3x3",
        stem: Stem = "plain",
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.widths = [width * 2**stage * block.expansion for stage in range(4)]
        entering = 2 * width if stem == "deep" else width
        self.conv1 = (
            deep_stem(in_channels, width=width)
            if stem == "deep"
            else nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        )
        self.bn1 = nn.BatchNorm2d(entering)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        stage = partial(stack_blocks, block, shortcut=shortcut, stride_in=stride_in)
        self.layer1 = stage(counts[0], in_channels=entering, channels=width, stride=1)
        self.layer2 = stage(counts[1], in_channels=self.widths[0], channels=2 * width, stride=2)
        self.layer3 = stage(counts[2], in_channels=self.widths[1], channels=4 * width, stride=2)
        self.layer4 = stage(counts[3], in_channels=self.widths[2], channels=8 * width, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.widths[-1], num_classes)
        he_initialize(self)
        if zero_init:
            zero_branches(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W), at any size from 1 pixel on."""
        x = self._last_map(images)
        x = self.avgpool(x).flatten(1)
        logits: Tensor = self.fc(x)
        return logits

    def class_map(self, images: Tensor) -> Tensor:
        """Logits at each position of the last map, (N, K, h, w); their mean over the positions is `forward`."""
        return convolved(self.fc, self._last_map(images))

    def stage_ends(self) -> dict[str, int]:
        """The children after which `stages` takes a map, with its channels."""
        return {"relu": self.bn1.num_features} | {f"layer{i + 1}": w for i, w in enumerate(self.widths)}

    def _last_map(self, images: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.maxpool(x)
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        last: Tensor = self.layer4(x)
        return last


SIZES: dict[int, tuple[Block, tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}


def resnet(
    depth: int,
    *,
    num_classes: int,
    in_channels: int = 3,
    width: int = 64,
    shortcut: ShortcutOption = "B",
    stride_in: StrideIn = "3x3",
    stem: Stem = "plain",
    zero_init: bool = False,
) -> ResNet:
    """The net of a depth in SIZES; `shortcut="none"` is the plain net, `stem="deep"` that of `deep_stem`.

    depth      number of layers
    width      channels of the first convolution, by which all others scale
    shortcut   option of the shortcuts whose shape changes: A pads, B projects, C projects everywhere; none is the plain
               net
    stride_in  convolution of a bottleneck that strides: 1x1 as in the paper (v1), 3x3 as in torchvision (v1.5)
    stem       plain: a convolution of 7x7; deep: three of 3x3
    zero_init  start the last normalization of each block at 0, so that blocks begin as identities

    Raises SettingsError for another depth, shortcut, stride_in or stem.
    """
    if depth not in SIZES:
        raise SettingsError(f"depth {depth}: choices are {', '.join(map(str, SIZES))}; other depths: resnet_cifar")
    if stride_in not in get_args(StrideIn):
        raise SettingsError(f"stride_in {stride_in!r}: choices are {', '.join(get_args(StrideIn))}")
    if stem not in get_args(Stem):
        raise SettingsError(f"stem {stem!r}: choices are {', '.join(get_args(Stem))}")
    block, counts = SIZES[depth]
    return ResNet(
        counts,
        block=block,
        num_classes=num_classes,
        in_channels=in_channels,
        width=width,
        shortcut=shortcut,
        stride_in=stride_in,
        stem=stem,
        zero_init=zero_init,
    )
