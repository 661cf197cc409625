"""GoogLeNet, the first Inception net: Szegedy et al. 2014, https://arxiv.org/abs/1409.4842.

Two variants, whose differences are the rows of VARIANTS: the paper's own, and torchvision's with its parameter
names. The paper does not give the constants of its local response normalization, nor its initial weights: here they
are those of Caffe's bvlc_googlenet. It pools for its side heads over 5x5 at stride 3, which makes 4x4 of the maps at
224 px; here maps of other sizes are cut into 4x4 windows too.

Weights that torchvision publishes are for images normalized with mean and deviation 0.5; torchvision hides that
normalization in `transform_input`. This net has none of it: a run with those weights states mean = std = 0.5.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.layers.inception import ConvUnit, Inception, window_logits
from resvision.layers.init import he_initialize
from resvision.layers.pooling import CeilMaxPool2d, EvenAvgPool2d, SameMaxPool2d
from resvision.layers.sizes import require_side, scaled

FULL_WIDTH = 64


class Variant(NamedTuple):
    """The settings in which the two nets differ.

    normalize   a BN after every convolution; otherwise biases, and local response normalization in the stem
    largest     window of the branch that the paper calls 5x5
    last_pool   window of the last max pooling
    dropout     before the classifier
    head_pool   the pooling to 4x4 of the map that a side head reads
    least_px    smallest image
    """

    normalize: bool
    largest: int
    last_pool: int
    dropout: float
    head_pool: Callable[[int], nn.Module]
    least_px: int


VARIANTS = {
    "2014": Variant(False, 5, 3, 0.4, EvenAvgPool2d, 31),
    "torchvision": Variant(True, 3, 2, 0.2, nn.AdaptiveAvgPool2d, 15),
}


class Widths(NamedTuple):
    """Channels of one module, as in the paper's table 1: of the convolutions, and of the reductions before them."""

    one: int
    reduce_three: int
    three: int
    reduce_five: int
    five: int
    pool: int


MODULES = {
    "3a": Widths(64, 96, 128, 16, 32, 32),
    "3b": Widths(128, 128, 192, 32, 96, 64),
    "4a": Widths(192, 96, 208, 16, 48, 64),
    "4b": Widths(160, 112, 224, 24, 64, 64),
    "4c": Widths(128, 128, 256, 24, 64, 64),
    "4d": Widths(112, 144, 288, 32, 64, 64),
    "4e": Widths(256, 160, 320, 32, 128, 128),
    "5a": Widths(256, 160, 320, 32, 128, 128),
    "5b": Widths(384, 192, 384, 48, 128, 128),
}


def inception(in_channels: int, name: str, *, width: int, variant: Variant) -> Inception:
    """The module of a row of MODULES."""
    c = Widths(*(scaled(channels, width=width, full=FULL_WIDTH) for channels in MODULES[name]))
    unit = partial(ConvUnit, normalize=variant.normalize)
    return Inception(
        unit(in_channels, channels=c.one),
        nn.Sequential(unit(in_channels, channels=c.reduce_three), unit(c.reduce_three, channels=c.three, size=3)),
        nn.Sequential(
            unit(in_channels, channels=c.reduce_five), unit(c.reduce_five, channels=c.five, size=variant.largest)
        ),
        nn.Sequential(SameMaxPool2d(3), unit(in_channels, channels=c.pool)),
        out_channels=c.one + c.three + c.five + c.pool,
    )


class SideHead(nn.Module):
    """A classifier on a map in the middle of the net, whose loss brings gradient there; only training runs it."""

    def __init__(self, in_channels: int, *, num_classes: int, width: int, variant: Variant) -> None:
        super().__init__()
        channels, hidden = (scaled(full, width=width, full=FULL_WIDTH) for full in (128, 1024))
        self.pool = variant.head_pool(4)
        self.conv = ConvUnit(in_channels, channels=channels, normalize=variant.normalize)
        self.fc1 = nn.Linear(4 * 4 * channels, hidden)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.7)
        self.fc2 = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, K) of a map (N, in_channels, H, W)."""
        x = self.conv(self.pool(x)).flatten(1)
        x = self.dropout(self.relu(self.fc1(x)))
        logits: Tensor = self.fc2(x)
        return logits


class Trunk(NamedTuple):
    """Maps that the classifiers read: the side heads those of modules 4a and 4d, the main one that of 5b."""

    after_4a: Tensor
    after_4d: Tensor
    last: Tensor


class GoogLeNet(nn.Module):
    """A stem, nine inception modules, a global average, one linear layer; two side heads unless `aux` is False.

    width      channels of the stem, 64 in the paper; all other maps and hidden layers are in proportion
    auxiliary  names of the side heads, which are part of the net and are not run by `forward`
    """

    def __init__(
        self, variant: Variant, *, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH, aux: bool = True
    ) -> None:
        super().__init__()
        self.auxiliary: tuple[str, ...] = ("aux1", "aux2") if aux else ()
        self.least_px = variant.least_px
        unit = partial(ConvUnit, normalize=variant.normalize)
        module = partial(inception, width=width, variant=variant)
        self.conv1 = unit(in_channels, channels=width, size=7, stride=2)
        self.maxpool1 = CeilMaxPool2d(3, stride=2)
        self.norm1 = response_norm(variant)
        self.conv2 = unit(width, channels=width)
        self.conv3 = unit(width, channels=3 * width, size=3)
        self.norm2 = response_norm(variant)
        self.maxpool2 = CeilMaxPool2d(3, stride=2)
        self.inception3a = module(3 * width, "3a")
        self.inception3b = module(self.inception3a.out_channels, "3b")
        self.maxpool3 = CeilMaxPool2d(3, stride=2)
        self.inception4a = module(self.inception3b.out_channels, "4a")
        self.inception4b = module(self.inception4a.out_channels, "4b")
        self.inception4c = module(self.inception4b.out_channels, "4c")
        self.inception4d = module(self.inception4c.out_channels, "4d")
        self.inception4e = module(self.inception4d.out_channels, "4e")
        self.maxpool4 = CeilMaxPool2d(variant.last_pool, stride=2)
        self.inception5a = module(self.inception4e.out_channels, "5a")
        self.inception5b = module(self.inception5a.out_channels, "5b")
        if aux:
            head = partial(SideHead, num_classes=num_classes, width=width, variant=variant)
            self.aux1 = head(self.inception4a.out_channels)
            self.aux2 = head(self.inception4d.out_channels)
        self.avgpool = nn.AdaptiveAvgPool2d(1)  # 7x7 at 224 px
        self.dropout = nn.Dropout(variant.dropout)
        self.fc = nn.Linear(self.inception5b.out_channels, num_classes)
        (he_initialize if variant.normalize else caffe_initialize)(self)

    def trunk(self, images: Tensor) -> Trunk:
        """The maps that the classifiers read. Raises SettingsError for images that are too small for the poolings."""
        require_side(images, least=self.least_px, net="GoogLeNet")
        x = self.norm1(self.maxpool1(self.conv1(images)))
        x = self.norm2(self.conv3(self.conv2(x)))
        x = self.maxpool2(x)
        x = self.inception3a(x)
        x = self.inception3b(x)
        x = self.maxpool3(x)
        x = after_4a = self.inception4a(x)
        x = self.inception4b(x)
        x = self.inception4c(x)
        x = after_4d = self.inception4d(x)
        x = self.inception4e(x)
        x = self.maxpool4(x)
        x = self.inception5a(x)
        x = self.inception5b(x)
        return Trunk(after_4a, after_4d, x)

    def classify(self, last: Tensor) -> Tensor:
        """Logits (N, K) of the last map."""
        x = self.dropout(self.avgpool(last).flatten(1))
        logits: Tensor = self.fc(x)
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Main logits (N, K) of images (N, C, H, W), in training mode too."""
        return self.classify(self.trunk(images).last)

    def all_logits(self, images: Tensor) -> tuple[Tensor, ...]:
        """Main logits, then those of the side heads, shallow to deep; (N, K) each."""
        maps = self.trunk(images)
        main = self.classify(maps.last)
        return (main, self.aux1(maps.after_4a), self.aux2(maps.after_4d)) if self.auxiliary else (main,)

    def class_map(self, images: Tensor) -> Tensor:
        """Logits (N, K, h, w) of the net applied fully convolutionally: 7x7 averages at stride 1, then the classifier.

        Images of 224 px and below give one position, with the logits of `forward`.
        """
        return window_logits(self.trunk(images).last, self.fc)

    def stage_ends(self) -> dict[str, int]:
        """The children after which `stages` takes a map, with its channels."""
        return {
            "conv1": self.conv1.conv.out_channels,
            "norm2": self.conv3.conv.out_channels,
            "inception3b": self.inception3b.out_channels,
            "inception4e": self.inception4e.out_channels,
            "inception5b": self.inception5b.out_channels,
        }


def response_norm(variant: Variant) -> nn.Module:
    """Local response normalization with Caffe's constants (k = 1, alpha divided by 5), where there is no BN."""
    return nn.Identity() if variant.normalize else nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)


def caffe_initialize(net: nn.Module) -> None:
    """Draw weights, in place, as bvlc_googlenet does: uniform with variance 1 / fan-in.

    Biases are 0.2, and 0 in the layers that give logits.
    """
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:
            assert module.bias is not None
            nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")
            nn.init.constant_(module.bias, 0.0 if name.endswith(("fc", "fc2")) else 0.2)


def googlenet(
    variant: str, *, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH, aux: bool = True
) -> GoogLeNet:
    """The net of a variant: `2014` or `torchvision`; SettingsError for another.

    variant  2014 or torchvision
    width    channels of the first convolution, by which all others scale
    aux      side heads, which only training runs
    """
    if variant not in VARIANTS:
        raise SettingsError(f"variant {variant!r}: choices are {', '.join(VARIANTS)}")
    return GoogLeNet(VARIANTS[variant], num_classes=num_classes, in_channels=in_channels, width=width, aux=aux)
