"""ResNet for small images, 6n+2 layers: He et al. 2015, https://arxiv.org/abs/1512.03385, section 4.2.

Option A shortcuts by default, as in the paper, so that residual and plain nets have equal parameters.
Any image size works, not only 32: the average over the last map is global.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from resvision.classification.resnet import BasicBlock, conv3x3, zero_branches
from resvision.layers.depths import repeats
from resvision.layers.fully_connected import convolved
from resvision.layers.init import he_initialize, he_initialize_incoming
from resvision.layers.norms import NormOption, make_norm
from resvision.layers.shortcuts import ShortcutOption

MakeBlock = Callable[..., nn.Module]
"""A block of two layers from its `in_channels`, and `channels` and `stride` by name."""


class CifarResNet(nn.Module):
    """A 3x3 stem, three stages of n blocks at full, half and quarter size, an average, a classifier.

    make_block  the blocks, whose option of shortcut `shortcut` names
    norm        of the stem, and of the blocks: it decides how weights start
    """

    def __init__(
        self,
        make_block: MakeBlock,
        n: int,
        *,
        num_classes: int,
        shortcut: ShortcutOption,
        in_channels: int = 3,
        width: int = 16,
        norm: NormOption = "batch",
    ) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.widths = [width, 2 * width, 4 * width]
        self.conv1 = conv3x3(in_channels, width, bias=norm == "none")
        self.bn1 = make_norm(norm, width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = stack(make_block, n, in_channels=width, channels=width, stride=1)
        self.layer2 = stack(make_block, n, in_channels=width, channels=2 * width, stride=2)
        self.layer3 = stack(make_block, n, in_channels=2 * width, channels=4 * width, stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(4 * width, num_classes)
        if norm == "batch":
            he_initialize(self)
        else:  # nothing mends the size of a signal here, which fan-out would halve wherever channels double
            he_initialize_incoming(self)

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
        return {f"layer{i + 1}": channels for i, channels in enumerate(self.widths)}

    def _last_map(self, images: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.layer1(x)
        x = self.layer2(x)
        last: Tensor = self.layer3(x)
        return last


def stack(make_block: MakeBlock, n: int, *, in_channels: int, channels: int, stride: int) -> nn.Sequential:
    """One stage: n blocks, of which the first strides."""
    first = make_block(in_channels, channels=channels, stride=stride)
    return nn.Sequential(first, *(make_block(channels, channels=channels, stride=1) for _ in range(n - 1)))


def resnet_cifar(
    depth: int,
    *,
    num_classes: int,
    in_channels: int = 3,
    width: int = 16,
    shortcut: ShortcutOption = "A",
    norm: NormOption = "batch",
    zero_init: bool = False,
) -> CifarResNet:
    """The net of any depth 6n+2; `shortcut="none"` is the plain net.

    depth      number of layers
    width      channels of the first convolution, by which all others scale
    shortcut   option of the shortcuts whose shape changes: A pads, B projects, C projects everywhere; none is the plain
               net
    norm       batch: batch normalization after every convolution; none: no normalization, convolutions have biases
    zero_init  start the last normalization of each block at 0, so that blocks begin as identities

    Raises SettingsError for another depth, shortcut or norm, and for `zero_init` of a plain net or without a norm.
    """
    net = CifarResNet(
        partial(BasicBlock, shortcut=shortcut, norm=norm),
        repeats(depth, per_step=6, kind="a ResNet of basic blocks"),
        num_classes=num_classes,
        shortcut=shortcut,
        in_channels=in_channels,
        width=width,
        norm=norm,
    )
    if zero_init:
        zero_branches(net)
    return net
