"""A perceptron of depth 2n+2, residual or plain, after He et al. 2015, https://arxiv.org/abs/1512.03385.

The net is not in the paper. n blocks of two linear layers, each with BN, stand between a first and a last linear
layer. The shortcuts are identities, so that residual and plain nets have equal parameters.
"""

from typing import Literal, get_args

from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.layers.depths import repeats
from resvision.layers.init import he_initialize
from resvision.layers.residual_parts import ResidualParts, unchanged
from resvision.layers.sizes import sides_are_known

MlpShortcut = Literal["identity", "none"]


class LinearBlock(nn.Module):
    """relu(F(x) + x), or relu(F(x)) in a plain net; F is linear, BN, ReLU, linear, BN."""

    def __init__(self, width: int, *, shortcut: MlpShortcut) -> None:
        super().__init__()
        self.residual = shortcut == "identity"
        self.fc1 = nn.Linear(width, width, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        self.fc2 = nn.Linear(width, width, bias=False)
        self.bn2 = nn.BatchNorm1d(width)
        self.relu = nn.ReLU(inplace=True)

    def branch(self, x: Tensor) -> Tensor:
        """F(x), before the addition."""
        y: Tensor = self.relu(self.bn1(self.fc1(x)))
        y = self.bn2(self.fc2(y))
        return y

    def residual_parts(self) -> ResidualParts:
        """F, the identity, and the activation behind the sum."""
        return ResidualParts(self.branch, unchanged if self.residual else None, self.relu)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width) to (N, width)."""
        y = self.branch(x)
        if self.residual:
            y = y + x
        activated: Tensor = self.relu(y)
        return activated


class Perceptron(nn.Module):
    """The image as one vector, a first linear layer, n blocks of two, one linear layer."""

    def __init__(
        self,
        n: int,
        *,
        num_classes: int,
        in_channels: int = 3,
        input_size: int = 32,
        width: int = 128,
        shortcut: MlpShortcut = "identity",
    ) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.input = (in_channels, input_size, input_size)
        self.fc1 = nn.Linear(in_channels * input_size**2, width, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        self.relu = nn.ReLU(inplace=True)
        self.blocks = nn.Sequential(*(LinearBlock(width, shortcut=shortcut) for _ in range(n)))
        self.fc = nn.Linear(width, num_classes)
        he_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, S, S) with S = input_size; SettingsError for other images."""
        if sides_are_known(images) and images.shape[1:] != self.input:
            channels, side, _ = self.input
            raise SettingsError(
                f"images are {images.shape[1]}x{images.shape[2]}x{images.shape[3]}, this perceptron is for"
                f" {channels}x{side}x{side}: build it with their in_channels and"
                " input_size (square images only)"
            )
        x = self.relu(self.bn1(self.fc1(images.flatten(1))))
        x = self.blocks(x)
        logits: Tensor = self.fc(x)
        return logits


def mlp(
    depth: int = 20,
    *,
    num_classes: int,
    in_channels: int = 3,
    input_size: int = 32,
    width: int = 128,
    shortcut: MlpShortcut = "identity",
) -> Perceptron:
    """The net of any depth 2n+2 for square images of `input_size` px.

    depth     number of layers
    width     features of each layer
    shortcut  identity, or none for the plain net

    Raises SettingsError for another depth or shortcut.
    """
    if shortcut not in get_args(MlpShortcut):
        raise SettingsError(f"shortcut {shortcut!r}: choices are {', '.join(get_args(MlpShortcut))}")
    return Perceptron(
        repeats(depth, per_step=2, kind="a perceptron of two-layer blocks"),
        num_classes=num_classes,
        in_channels=in_channels,
        input_size=input_size,
        width=width,
        shortcut=shortcut,
    )
