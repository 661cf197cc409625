"""Pre-activation ResNet for small images: He et al. 2016, Identity Mappings, https://arxiv.org/abs/1603.05027.

The five placements of normalization and activation of its table 2, in nets of basic (6n+2) or bottleneck
(9n+2) units. The paper does not say how the stem of (a) to (d) is normalized: here a BN follows conv1, as in
the 2015 net, so that all five have equal parameters with option A.
"""

from collections import OrderedDict
from functools import partial
from typing import ClassVar, Literal, NamedTuple, get_args

from torch import Tensor, nn

from resvision.classification.resnet import conv1x1, conv3x3
from resvision.core.errors import SettingsError
from resvision.layers.depths import repeats
from resvision.layers.fully_connected import convolved
from resvision.layers.init import he_initialize
from resvision.layers.residual_parts import ResidualParts
from resvision.layers.shortcuts import ShortcutOption, make_shortcut

PlacementName = Literal["a", "b", "c", "d", "e"]
UnitKind = Literal["basic", "bottleneck"]


class Placement(NamedTuple):
    """Places of BN and ReLU in a net; between two convolutions of a branch there are always BN, ReLU.

    stem    layers after the net's first convolution
    before  layers that open a branch: the pre-activation
    end     layers after the last convolution of a branch
    after   layers after the addition
    head    layers after the last unit
    """

    stem: str
    before: str
    end: str
    after: str
    head: str


PLACEMENTS: dict[str, Placement] = {
    "a": Placement(stem="bn relu", before="", end="bn", after="relu", head=""),
    "b": Placement(stem="bn relu", before="", end="", after="bn relu", head=""),
    "c": Placement(stem="bn relu", before="", end="bn relu", after="", head=""),
    "d": Placement(stem="bn", before="relu", end="bn", after="", head="relu"),
    "e": Placement(stem="", before="bn relu", end="", after="", head="bn relu"),
}


def _activation(layers: str, channels: int) -> nn.Sequential:
    """The layers that a Placement names, for a map of `channels`; the identity for an empty text."""
    parts = [(name, nn.BatchNorm2d(channels) if name == "bn" else nn.ReLU()) for name in layers.split()]
    return nn.Sequential(OrderedDict(parts))


class Unit(nn.Module):
    """after(F(before(x)) + shortcut(x)); in a plain net after(F(before(x))).

    The first unit of a net, and one whose shortcut is a projection, give before(x) to the shortcut as well.
    """

    parallel_children: ClassVar[tuple[str, ...]] = ("shortcut",)

    def __init__(
        self,
        in_channels: int,
        *,
        convs: list[nn.Conv2d],
        stride: int,
        placement: Placement,
        shortcut: ShortcutOption,
        first: bool,
    ) -> None:
        super().__init__()
        out_channels = convs[-1].out_channels
        self.before = _activation(placement.before, in_channels)
        self.branch = nn.Sequential()
        for i, conv in enumerate(convs, start=1):
            self.branch.add_module(f"conv{i}", conv)
            layers = placement.end if conv is convs[-1] else "bn relu"
            self.branch.add_module(f"after{i}", _activation(layers, conv.out_channels))
        self.shortcut = make_shortcut(
            shortcut,
            in_channels,
            out_channels=out_channels,
            stride=stride,
            normalize="bn" in placement.end,  # a projection ends as its branch does
        )
        self.shares_before = first or (
            self.shortcut is not None and any(isinstance(part, nn.Conv2d) for part in self.shortcut.modules())
        )
        self.after = _activation(placement.after, out_channels)

    def residual_parts(self) -> ResidualParts:
        """F with the pre-activation, the shortcut, which may share it, and the layers behind the sum."""
        shortcut = self.shortcut
        if shortcut is not None and self.shares_before:
            shortcut = nn.Sequential(self.before, shortcut)
        return ResidualParts(nn.Sequential(self.before, self.branch), shortcut, self.after)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        opened = self.before(x)
        y: Tensor = self.branch(opened)
        if self.shortcut is not None:
            y = y + self.shortcut(opened if self.shares_before else x)
        y = self.after(y)
        return y


def basic_convs(in_channels: int, *, channels: int, stride: int) -> list[nn.Conv2d]:
    """Two 3x3 convolutions; the first strides."""
    return [conv3x3(in_channels, channels, stride=stride), conv3x3(channels, channels)]


def bottleneck_convs(in_channels: int, *, channels: int, stride: int) -> list[nn.Conv2d]:
    """1x1, 3x3, 1x1 with four times the channels; the first strides, as in the authors' code."""
    return [
        conv1x1(in_channels, channels, stride=stride),
        conv3x3(channels, channels),
        conv1x1(channels, 4 * channels),
    ]


def stack_units(
    n: int,
    *,
    block: UnitKind,
    placement: Placement,
    shortcut: ShortcutOption,
    in_channels: int,
    channels: int,
    stride: int,
    opens_net: bool = False,
) -> nn.Sequential:
    """One stage: n units, of which the first strides."""
    make_convs = basic_convs if block == "basic" else bottleneck_convs
    units: list[Unit] = []
    for i in range(n):
        first_stride = stride if i == 0 else 1
        convs = make_convs(in_channels, channels=channels, stride=first_stride)
        first = opens_net and i == 0
        units.append(
            Unit(
                in_channels,
                convs=convs,
                stride=first_stride,
                placement=placement,
                shortcut=shortcut,
                first=first,
            )
        )
        in_channels = convs[-1].out_channels
    return nn.Sequential(*units)


class PreResNet(nn.Module):
    """A 3x3 stem, three stages of n units at full, half and quarter size, a global average, a classifier."""

    def __init__(
        self,
        n: int,
        *,
        num_classes: int,
        block: UnitKind,
        placement: PlacementName,
        shortcut: ShortcutOption,
        in_channels: int = 3,
        width: int = 16,
    ) -> None:
        super().__init__()
        self.shortcut = shortcut
        layers = PLACEMENTS[placement]
        self.widths = [width * 2**stage * (1 if block == "basic" else 4) for stage in range(3)]
        stage = partial(stack_units, n, block=block, placement=layers, shortcut=shortcut)
        self.conv1 = conv3x3(in_channels, width)
        self.stem = _activation(layers.stem, width)
        self.layer1 = stage(in_channels=width, channels=width, stride=1, opens_net=True)
        self.layer2 = stage(in_channels=self.widths[0], channels=2 * width, stride=2)
        self.layer3 = stage(in_channels=self.widths[1], channels=4 * width, stride=2)
        self.head = _activation(layers.head, self.widths[2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(self.widths[2], num_classes)
        he_initialize(self)

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
        """The children after which `stages` takes a map, with its channels; the last map is activated."""
        return {"layer1": self.widths[0], "layer2": self.widths[1], "head": self.widths[2]}

    def _last_map(self, images: Tensor) -> Tensor:
        x = self.stem(self.conv1(images))
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.layer3(x)
        last: Tensor = self.head(x)
        return last


def preresnet(
    depth: int,
    *,
    num_classes: int,
    block: UnitKind = "bottleneck",
    placement: PlacementName = "e",
    in_channels: int = 3,
    width: int = 16,
    shortcut: ShortcutOption | None = None,
) -> PreResNet:
    """The net of any depth 6n+2 (basic) or 9n+2 (bottleneck); SettingsError for another depth or choice.

    depth      number of layers
    block      basic units of two convolutions, or bottlenecks of three
    placement  order of normalization and activation, by the letters of the paper's figure 4
    width      channels of the first convolution, by which all others scale
    shortcut   option of the shortcuts whose shape changes: A pads, B projects, C projects everywhere; none is the plain
               net; left out, A with basic units and B with bottlenecks

    Shortcuts are option A with basic units and option B with bottlenecks, as in the paper, unless given.
    """
    if block not in get_args(UnitKind):
        raise SettingsError(f"block {block!r}: choices are {', '.join(get_args(UnitKind))}")
    if placement not in PLACEMENTS:
        raise SettingsError(f"placement {placement!r}: choices are {', '.join(PLACEMENTS)}")
    per_step = 6 if block == "basic" else 9
    return PreResNet(
        repeats(depth, per_step=per_step, kind=f"a pre-activation ResNet of {block} units"),
        num_classes=num_classes,
        block=block,
        placement=placement,
        shortcut=shortcut or ("A" if block == "basic" else "B"),
        in_channels=in_channels,
        width=width,
    )
