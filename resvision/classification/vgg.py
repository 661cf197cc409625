"""VGG: Simonyan and Zisserman 2014, https://arxiv.org/abs/1409.1556, Table 1.

Batch normalization after each convolution is not in the paper; torchvision offers it. Parameter names are
torchvision's. Weights are drawn by Glorot's rule, with which, the paper says, the deeper nets need not be seeded with
the weights of net A.
"""

from typing import Literal, get_args

from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.layers.fully_connected import classify_everywhere
from resvision.layers.init import glorot_initialize, relu_initialize
from resvision.layers.lrn import local_response_norm
from resvision.layers.sizes import sides_are_known

Config = Literal["A", "A-LRN", "B", "C", "D", "E"]
Init = Literal["glorot", "normal", "he"]

CONFIGS: dict[Config, tuple[tuple[int, ...], ...]] = {
    "A": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "A-LRN": ((3,), (3,), (3, 3), (3, 3), (3, 3)),
    "B": ((3, 3), (3, 3), (3, 3), (3, 3), (3, 3)),
    "C": ((3, 3), (3, 3), (3, 3, 1), (3, 3, 1), (3, 3, 1)),
    "D": ((3, 3), (3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)),
    "E": ((3, 3), (3, 3), (3, 3, 3, 3), (3, 3, 3, 3), (3, 3, 3, 3)),
}
"""Window of each convolution, block by block; a pooling ends each block."""

WINDOW = 7
SMALLEST = 32
"""Least side in pixels of an image of which the five poolings leave one position."""

HIDDEN = 64
"""Maps of fc6 and fc7, as a multiple of those of the first block."""


def widths_of(width: int) -> list[int]:
    """The numbers of maps of the five blocks."""
    return [width, 2 * width, 4 * width, 8 * width, 8 * width]


def blocks(config: Config, *, in_channels: int = 3, width: int = 64, batch_norm: bool = False) -> nn.Sequential:
    """The five blocks of a column, each of which ends in a pooling."""
    layers: list[nn.Module] = []
    for block, (windows, channels) in enumerate(zip(CONFIGS[config], widths_of(width), strict=True)):
        for window in windows:
            layers.append(nn.Conv2d(in_channels, channels, window, padding=window // 2))
            layers.extend([nn.BatchNorm2d(channels)] if batch_norm else [])
            layers.append(nn.ReLU(inplace=True))
            in_channels = channels
        if config == "A-LRN" and block == 0:
            layers.append(local_response_norm())
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def pools_of(features: nn.Sequential) -> list[int]:
    """The indices of the five poolings among the layers."""
    return [i for i, layer in enumerate(features) if isinstance(layer, nn.MaxPool2d)]


class VGG(nn.Module):
    """Five blocks of convolutions, each of which ends in a pooling, an average to 7x7, three fully connected layers.

    The average is torchvision's: it changes nothing at 224 px, and lets the net take other sizes.
    """

    def __init__(
        self,
        config: Config,
        *,
        num_classes: int,
        in_channels: int = 3,
        width: int = 64,
        batch_norm: bool = False,
        init: Init = "glorot",
    ) -> None:
        super().__init__()
        self.widths = widths_of(width)
        hidden = HIDDEN * width
        self.features = blocks(config, in_channels=in_channels, width=width, batch_norm=batch_norm)
        self.pools = pools_of(self.features)
        self.avgpool = nn.AdaptiveAvgPool2d(WINDOW)
        self.classifier = nn.Sequential(
            nn.Linear(self.widths[-1] * WINDOW**2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(hidden, num_classes),
        )
        initialize(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W), at any size from 32 px on; SettingsError below."""
        x = self.features(_large_enough(images))
        x = self.avgpool(x).flatten(1)
        logits: Tensor = self.classifier(x)
        return logits

    def class_map(self, images: Tensor) -> Tensor:
        """Logits (N, K, h, w) at each position of the net applied fully convolutionally: section 3.2, dense testing.

        fc6 is a 7x7 convolution, fc7 and fc8 are 1x1, with the same weights: 1x1 and equal to `forward` at 224 px, 2x2
        at 256, 6x6 at 384. Raises SettingsError for images whose last map is below 7x7.
        """
        x = self.features(_large_enough(images))
        return classify_everywhere(self.classifier, x, window=WINDOW)

    def stage_ends(self) -> dict[str, int]:
        """The children after which `stages` takes C1 to C5, with their channels.

        C1 to C4 end the convolutions of blocks 2 to 5, as VGG's descendants use them; C5 is the last pooling.
        """
        ends = {f"features.{pool - 1}": width for pool, width in zip(self.pools, self.widths, strict=True)}
        ends.pop(f"features.{self.pools[0] - 1}")
        return ends | {f"features.{self.pools[-1]}": self.widths[-1]}


def initialize(net: nn.Module, init: Init) -> None:
    """Draw convolutions and linear layers in place, biases 0; normalizations stay at scale 1, shift 0.

    glorot  N(0, 2 / (fan_in + fan_out)), Glorot and Bengio 2010
    normal  N(0, 0.01^2), as the paper draws net A; at a small width the signal dies out on the way
    he      N(0, 2 / fan_in), the last layer N(0, 0.01^2); not in the paper: the signal keeps its size at any depth,
            where Glorot's rule, which counts no ReLU, halves its square at each layer. He et al. 2015, Delving Deep

    Raises SettingsError for another name.
    """
    if init not in get_args(Init):
        raise SettingsError(f"init {init!r}: choices are {', '.join(get_args(Init))}")
    if init == "glorot":
        glorot_initialize(net)
        return
    if init == "he":
        relu_initialize(net, last=[module for module in net.modules() if isinstance(module, nn.Linear)][-1])
        return
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:
            nn.init.normal_(module.weight, std=0.01)
            assert module.bias is not None
            nn.init.zeros_(module.bias)


def vgg(
    config: Config,
    *,
    num_classes: int,
    in_channels: int = 3,
    width: int = 64,
    batch_norm: bool = False,
    init: Init = "glorot",
) -> VGG:
    """The net of a column of Table 1, with `width` maps in its first block.

    config      column of the paper's Table 1
    width       channels of the first convolution, by which all others scale
    batch_norm  normalize after each convolution
    init        rule by which the first weights are drawn

    Raises SettingsError for another column or init.
    """
    if config not in CONFIGS:
        raise SettingsError(f"config {config!r}: choices are {', '.join(CONFIGS)}")
    return VGG(
        config,
        num_classes=num_classes,
        in_channels=in_channels,
        width=width,
        batch_norm=batch_norm,
        init=init,
    )


def _large_enough(images: Tensor, smallest: int = SMALLEST) -> Tensor:
    """The images. Raises SettingsError where a side is below `smallest` pixels."""
    height, width = images.shape[2], images.shape[3]
    if sides_are_known(images) and min(height, width) < smallest:
        raise SettingsError(
            f"images are {height}x{width}, VGG's poolings need {smallest} px or more; train it with"
            f" --set data.image_size={smallest}"
        )
    return images
