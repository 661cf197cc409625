"""ResNets whose shortcuts are more than identities: He et al. 2016, Identity Mappings, https://arxiv.org/abs/1603.05027.

The six kinds of shortcut of its figure 2 and table 1, in the original nets of 6n+2 layers for small images: BN and ReLU
stand as in 2015, and what differs is the way from one addition to the next. The paper does not say how a shortcut is
gated where the shape changes: here the gate has the branch's stride and channels, and lets option A's padded map
through. Nor does it say whether BN follows the 1x1 convolution: here it does, as in option C of 2015.

Glossary
    x      (N, C, H, W), the input of a block
    F(x)   its branch
    h(x)   its shortcut: option A, or in one form a projection everywhere
    g(x)   its gate, sigmoid(W x + b) by a 1x1 convolution, 0..1, one value for each channel and position
"""

from functools import partial
from typing import ClassVar, Literal, NamedTuple

from torch import Tensor, nn

from resvision.classification.resnet import conv3x3
from resvision.classification.resnet_cifar import CifarResNet
from resvision.core.errors import SettingsError
from resvision.layers.depths import repeats
from resvision.layers.residual_parts import ResidualParts
from resvision.layers.shortcuts import ShortcutOption, make_shortcut

FormName = Literal[
    "identity",
    "half-shortcut",
    "half-both",
    "exclusive-gate",
    "shortcut-gate",
    "convolution",
    "dropout",
    "projection",
    "none",
]


class Form(NamedTuple):
    """A form of the shortcut: relu(branch_scale * F(x) + shortcut_scale * h(x)), each of the two gated where it says.

    option   of the shortcuts, of `layers.shortcuts`
    gated    parts that a gate scales: the shortcut by 1 - g(x), and the branch by g(x) where it is "both"
    dropped  share of the shortcut's values that are zeroed in training, the others scaled up
    """

    option: ShortcutOption = "A"
    branch_scale: float = 1.0
    shortcut_scale: float = 1.0
    gated: Literal["", "shortcut", "both"] = ""
    dropped: float = 0.0


FORMS: dict[str, Form] = {
    "identity": Form(),
    "half-shortcut": Form(shortcut_scale=0.5),
    "half-both": Form(shortcut_scale=0.5, branch_scale=0.5),
    "exclusive-gate": Form(gated="both"),
    "shortcut-gate": Form(gated="shortcut"),
    "convolution": Form(option="C"),
    "dropout": Form(dropped=0.5),
    "none": Form(option="none"),
    "projection": Form(option="B"),
}
"""The forms of table 1 by name, of which none is its "shortcut 0", the plain net; projection, option B, is of 2015."""


class FormedBlock(nn.Module):
    """A basic block whose shortcut has a Form."""

    parallel_children: ClassVar[tuple[str, ...]] = ("downsample", "gate")

    def __init__(self, in_channels: int, *, channels: int, stride: int, form: Form) -> None:
        super().__init__()
        self.form = form
        # Layers are named and made in the order of `BasicBlock`, so that equal forms have equal first weights.
        self.conv1 = conv3x3(in_channels, channels, stride=stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        shortcut = make_shortcut(form.option, in_channels, out_channels=channels, stride=stride)
        if shortcut is not None and form.dropped:
            shortcut = nn.Sequential(shortcut, nn.Dropout(form.dropped))
        self.downsample = shortcut
        self.gate = (
            nn.Sequential(nn.Conv2d(in_channels, channels, 1, stride=stride), nn.Sigmoid()) if form.gated else None
        )

    def branch(self, x: Tensor) -> Tensor:
        """F(x), before it is scaled and added."""
        y: Tensor = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return y

    def residual_parts(self) -> ResidualParts:
        """F and the shortcut, each as it is added, scaled and gated, and the activation behind the sum."""
        if self.downsample is None:
            return ResidualParts(self._added_branch, None, self.relu)
        return ResidualParts(
            lambda x: self._added_branch(x, self._gates(x)),
            lambda x: self._added_shortcut(x, self._gates(x)),
            self.relu,
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, channels, ceil(H / stride), ceil(W / stride))."""
        g = self._gates(x)
        y = self._added_branch(x, g)
        if self.downsample is not None:
            y = y + self._added_shortcut(x, g)
        activated: Tensor = self.relu(y)
        return activated

    def _gates(self, x: Tensor) -> Tensor | None:
        if self.gate is None:
            return None
        g: Tensor = self.gate(x)
        return g

    def _added_branch(self, x: Tensor, g: Tensor | None = None) -> Tensor:
        y = scaled(self.branch(x), self.form.branch_scale)
        return g * y if g is not None and self.form.gated == "both" else y

    def _added_shortcut(self, x: Tensor, g: Tensor | None) -> Tensor:
        assert self.downsample is not None, "a plain block adds none"
        shortcut = scaled(self.downsample(x), self.form.shortcut_scale)
        return shortcut if g is None else (1 - g) * shortcut


def scaled(x: Tensor, factor: float) -> Tensor:
    """The map times a constant; the map itself where that is 1."""
    return x if factor == 1 else factor * x


def open_gates(net: nn.Module, bias: float) -> None:
    """Set the bias of every gate: at b, a gate with a small signal is sigmoid(b), and passes 1 - sigmoid(b) on."""
    for module in net.modules():
        if isinstance(module, FormedBlock) and module.gate is not None:
            convolution = module.gate[0]
            assert isinstance(convolution, nn.Conv2d)
            assert convolution.bias is not None
            nn.init.constant_(convolution.bias, bias)


def resnet_forms(
    depth: int = 110,
    *,
    num_classes: int,
    in_channels: int = 3,
    width: int = 16,
    form: FormName = "identity",
    gate_bias: float = -6.0,
) -> CifarResNet:
    """The net of any depth 6n+2 whose shortcuts have a form of the paper's table 1.

    depth      number of layers
    width      channels of the first convolution, by which all others scale
    form       of every shortcut: identity; half-shortcut and half-both scale it, and in half-both the branch too, by
               0.5; exclusive-gate scales the branch by g and the shortcut by 1 - g, shortcut-gate the shortcut alone;
               convolution is 1x1 with BN; dropout drops half; none is the plain net; projection is a convolution where
               the shape changes
    gate_bias  first bias of the gates: at -6 nearly all of a gated shortcut passes, at 0 half

    Raises SettingsError for another depth or form.
    """
    if form not in FORMS:
        raise SettingsError(f"form {form!r}: choices are {', '.join(FORMS)}")
    net = CifarResNet(
        partial(FormedBlock, form=FORMS[form]),
        repeats(depth, per_step=6, kind="a ResNet of basic blocks"),
        num_classes=num_classes,
        shortcut=FORMS[form].option,
        in_channels=in_channels,
        width=width,
    )
    open_gates(net, gate_bias)
    return net
