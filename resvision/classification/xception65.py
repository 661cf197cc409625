"""Xception-65 as DeepLabv3+ has it: Chen et al. 2018, https://arxiv.org/abs/1802.02611, section 3.2 and figure 4.

Xception (Chollet 2017, https://arxiv.org/abs/1610.02357) with a deeper middle flow, strided separable convolutions in
the place of all poolings, and batch normalization and ReLU after each depthwise convolution. The 65 layers are counted
with a separable convolution as one, which is two layers of weights.

A ReLU also stands before every separable convolution, as in Xception; in the last block one follows each instead. The
released TensorFlow nets have a ReLU between depthwise and pointwise in that last block alone; parameters are the same.

The decoder of DeepLabv3+ takes the second separable convolution of block2 as its fine map, 256 channels at stride 4,
before the block strides. A block cannot be cut within itself: C2 is the result of block1 here, 128 channels.
"""

from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn

from resvision.layers.fully_connected import convolved
from resvision.layers.init import he_initialize
from resvision.layers.residual_parts import ResidualParts
from resvision.layers.sizes import scaled

FULL_WIDTH = 32
ENTRY: tuple[int, ...] = (128, 256, 728)
"""Channels of the blocks of the entry flow; each strides in its last separable convolution."""
MIDDLE_BLOCKS = 16
EXIT: tuple[tuple[int, int, int], tuple[int, int, int]] = ((728, 1024, 1024), (1536, 1536, 2048))
"""Channels of the separable convolutions of the two blocks of the exit flow, of which the first strides."""


def separable(in_channels: int, channels: int, *, stride: int = 1) -> list[nn.Module]:
    """The layers of a separable convolution: depthwise 3x3, BN, ReLU, pointwise 1x1, BN."""
    return [
        nn.Conv2d(in_channels, in_channels, 3, stride=stride, padding=1, groups=in_channels, bias=False),
        nn.BatchNorm2d(in_channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(in_channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    ]


class SeparableBlock(nn.Module):
    """F(x) + shortcut(x) with three separable convolutions in F, each after a ReLU.

    The shortcut is a strided 1x1 convolution with normalization where the shape changes.
    """

    parallel_children: ClassVar[tuple[str, ...]] = ("shortcut",)

    def __init__(self, in_channels: int, *, widths: Sequence[int], stride: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        out_channels = in_channels
        for i, channels in enumerate(widths):
            # The first ReLU must not write into x, which the shortcut reads.
            layers.append(nn.ReLU(inplace=i > 0))
            layers += separable(out_channels, channels, stride=stride if i == len(widths) - 1 else 1)
            out_channels = channels
        self.branch = nn.Sequential(*layers)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or out_channels != in_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def residual_parts(self) -> ResidualParts:
        """F and the shortcut; nothing follows the sum."""
        return ResidualParts(self.branch, self.shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, widths[-1], ceil(H / stride), ceil(W / stride))."""
        added: Tensor = self.branch(x) + self.shortcut(x)
        return added


class Xception65(nn.Module):
    """Entry flow, 16 blocks of the middle flow, exit flow, a global average, one linear layer: figure 4.

    width  channels of the first convolution, 32 in the paper; all other maps are in proportion
    """

    def __init__(self, *, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH) -> None:
        super().__init__()
        entry = [_scaled(channels, width) for channels in ENTRY]
        leaving, last = ([_scaled(channels, width) for channels in block] for block in EXIT)
        stem = _scaled(64, width)
        self.conv1 = _conv3x3(in_channels, width, stride=2)
        self.conv2 = _conv3x3(width, stem)
        self.block1 = SeparableBlock(stem, widths=[entry[0]] * 3, stride=2)
        self.block2 = SeparableBlock(entry[0], widths=[entry[1]] * 3, stride=2)
        self.block3 = SeparableBlock(entry[1], widths=[entry[2]] * 3, stride=2)
        self.middle = nn.Sequential(*(SeparableBlock(entry[2], widths=[entry[2]] * 3) for _ in range(MIDDLE_BLOCKS)))
        self.block20 = SeparableBlock(entry[2], widths=leaving, stride=2)
        tail: list[nn.Module] = []
        for entering, channels in zip([leaving[-1], *last], last, strict=False):
            tail += [*separable(entering, channels), nn.ReLU(inplace=True)]
        self.block21 = nn.Sequential(*tail)
        self.channels = [stem, *entry, last[-1]]
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(last[-1], num_classes)
        he_initialize(self)

    def last_map(self, images: Tensor) -> Tensor:
        """The last map, (N, 64 * width, H / 32, W / 32), sides rounded up."""
        x = self.conv2(self.conv1(images))
        x = self.block3(self.block2(self.block1(x)))
        x = self.middle(x)
        last: Tensor = self.block21(self.block20(x))
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W), at any size from 1 pixel on."""
        x = self.avgpool(self.last_map(images)).flatten(1)
        logits: Tensor = self.fc(x)
        return logits

    def class_map(self, images: Tensor) -> Tensor:
        """Logits at each position of the last map, (N, K, h, w); their mean over the positions is `forward`."""
        return convolved(self.fc, self.last_map(images))

    def stage_ends(self) -> dict[str, int]:
        """The children after which `stages` takes a map, with its channels."""
        return dict(zip(("conv2", "block1", "block2", "middle", "block21"), self.channels, strict=True))


def _scaled(channels: int, width: int) -> int:
    return scaled(channels, width=width, full=FULL_WIDTH)


def _conv3x3(in_channels: int, channels: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
    )


def xception65(*, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH) -> Xception65:
    """The net of figure 4, with `width` channels in its first convolution.

    width  channels of the first convolution, by which all others scale
    """
    return Xception65(num_classes=num_classes, in_channels=in_channels, width=width)
