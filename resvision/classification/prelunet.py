"""PReLU-net: He et al. 2015, Delving Deep into Rectifiers, https://arxiv.org/abs/1502.01852, table 3.

A net in the manner of VGG with a 7x7 stem, spatial pyramid pooling, and, for every channel, a learned slope of its
negative values. The max poolings are taken to be 2x2, as VGG's are; counts do not depend on it.
"""

from typing import NamedTuple

from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.layers.sizes import require_side, scaled
from resvision.layers.spp import SpatialPyramidPooling

FULL_WIDTH = 96
FIRST_SLOPE = 0.25
LEAST_PX = 15


class Block(NamedTuple):
    """The number of 3x3 convolutions of a block, and their channels."""

    convolutions: int
    channels: int


SIZES = {
    "A": (Block(5, 256), Block(5, 512), Block(5, 512)),
    "B": (Block(6, 256), Block(6, 512), Block(6, 512)),
    "C": (Block(6, 384), Block(6, 768), Block(6, 896)),
}


def prelu(channels: int) -> nn.PReLU:
    """A layer that computes max(0, y) + a min(0, y), with a learned slope a for every channel."""
    return nn.PReLU(channels, init=FIRST_SLOPE)


def stack(block: Block, in_channels: int) -> nn.Sequential:
    """The convolutions of a block, each followed by a PReLU."""
    layers: list[nn.Module] = []
    for _ in range(block.convolutions):
        layers += [nn.Conv2d(in_channels, block.channels, 3, padding=1), prelu(block.channels)]
        in_channels = block.channels
    return nn.Sequential(*layers)


class PReLUNet(nn.Module):
    """A 7x7 stem, three blocks of 3x3 convolutions, a pyramid of 7x7, 3x3, 2x2 and 1x1 bins, three linear layers.

    width  channels of the stem, 96 in the paper; all other maps and hidden layers are in proportion
    """

    def __init__(
        self, model: str, *, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH, dropout: float = 0.5
    ) -> None:
        super().__init__()
        block1, block2, block3 = (
            Block(block.convolutions, scaled(block.channels, width=width, full=FULL_WIDTH)) for block in SIZES[model]
        )
        hidden = scaled(4096, width=width, full=FULL_WIDTH)
        self.least_px = LEAST_PX
        self.widths = (width, block1.channels, block2.channels, block3.channels)
        self.conv1 = nn.Conv2d(in_channels, width, 7, stride=2, padding=3)
        self.prelu1 = prelu(width)
        self.maxpool1 = nn.MaxPool2d(2)
        self.block1 = stack(block1, width)
        self.maxpool2 = nn.MaxPool2d(2)
        self.block2 = stack(block2, block1.channels)
        self.maxpool3 = nn.MaxPool2d(2)
        self.block3 = stack(block3, block2.channels)
        self.spp = SpatialPyramidPooling((7, 3, 2, 1))
        self.fc6 = nn.Linear(self.spp.bins * block3.channels, hidden)
        self.prelu6 = prelu(hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.prelu7 = prelu(hidden)
        self.dropout = nn.Dropout(dropout)
        self.fc8 = nn.Linear(hidden, num_classes)
        rectifier_initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W) of any size; SettingsError for sides below 15 pixels."""
        require_side(images, least=self.least_px, net="PReLU-net")
        x = self.maxpool1(self.prelu1(self.conv1(images)))
        x = self.maxpool2(self.block1(x))
        x = self.maxpool3(self.block2(x))
        x = self.spp(self.block3(x))
        x = self.dropout(self.prelu6(self.fc6(x)))
        x = self.dropout(self.prelu7(self.fc7(x)))
        logits: Tensor = self.fc8(x)
        return logits

    def stage_ends(self) -> dict[str, int]:
        """The children after which `stages` takes a map, with its channels."""
        return dict(zip(("prelu1", "block1", "block2", "block3"), self.widths, strict=True))


def rectifier_initialize(net: nn.Module) -> None:
    """Draw every weight from N(0, 2 / ((1 + a^2) fan_in)), a the first slope, so that signals keep their size.

    Section 2.2. Biases start at 0.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:
            assert module.bias is not None
            nn.init.kaiming_normal_(module.weight, a=FIRST_SLOPE, nonlinearity="leaky_relu")
            nn.init.zeros_(module.bias)


def prelunet(
    model: str, *, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH, dropout: float = 0.5
) -> PReLUNet:
    """The net of a model in SIZES: A of 19 layers, B and C of 22; SettingsError for another.

    model    A, B or C
    width    channels of the first convolution, by which all others scale
    dropout  share of the activations that are dropped in training
    """
    if model not in SIZES:
        raise SettingsError(f"model {model!r}: choices are {', '.join(SIZES)}")
    return PReLUNet(model, num_classes=num_classes, in_channels=in_channels, width=width, dropout=dropout)
