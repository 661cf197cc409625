"""BN-Inception: Ioffe and Szegedy 2015, Batch Normalization, https://arxiv.org/abs/1502.03167, figure 5.

GoogLeNet with a BN after every convolution, two 3x3 in the place of 5x5, one more module at 28x28, average and max
poolings inside modules, and two modules that stride, whose pooling passes its input on. No dropout and no side heads.
The paper does not say how its poolings are padded: here by one pixel, so that all branches of a module that strides
have equal sizes for images of any size.
"""

from functools import partial
from typing import Literal, NamedTuple

from torch import Tensor, nn

from resvision.layers.inception import ConvUnit, Inception, window_logits
from resvision.layers.init import he_initialize
from resvision.layers.pooling import SameAvgPool2d, SameMaxPool2d
from resvision.layers.sizes import scaled

FULL_WIDTH = 64


class Widths(NamedTuple):
    """One row of figure 5: channels of the convolutions of a module, and of the reductions before them.

    one   0 in a module that strides, which has no such branch
    kind  of the pooling; "pass" in a module that strides, where a max pooling passes all channels on
    pool  channels after the pooling; 0 in a module that strides
    """

    one: int
    reduce_three: int
    three: int
    reduce_double: int
    double: int
    kind: Literal["avg", "max", "pass"]
    pool: int = 0


MODULES = {
    "3a": Widths(64, 64, 64, 64, 96, "avg", 32),
    "3b": Widths(64, 64, 96, 64, 96, "avg", 64),
    "3c": Widths(0, 128, 160, 64, 96, "pass"),
    "4a": Widths(224, 64, 96, 96, 128, "avg", 128),
    "4b": Widths(192, 96, 128, 96, 128, "avg", 128),
    "4c": Widths(160, 128, 160, 128, 160, "avg", 96),
    "4d": Widths(96, 128, 192, 160, 192, "avg", 96),
    "4e": Widths(0, 128, 192, 192, 256, "pass"),
    "5a": Widths(352, 192, 320, 160, 224, "avg", 128),
    "5b": Widths(352, 192, 320, 192, 224, "max", 128),
}

unit = partial(ConvUnit, normalize=True)


def inception(in_channels: int, name: str, *, width: int) -> Inception:
    """The module of a row of MODULES."""
    row = MODULES[name]
    one, reduce_three, three, reduce_double, double, pool = (
        scaled(channels, width=width, full=FULL_WIDTH)
        for channels in (row.one, row.reduce_three, row.three, row.reduce_double, row.double, row.pool)
    )
    stride = 2 if row.kind == "pass" else 1
    pooling = SameAvgPool2d(3) if row.kind == "avg" else SameMaxPool2d(3, stride=stride)
    widths = (three, double, in_channels) if row.kind == "pass" else (one, three, double, pool)
    return Inception(
        None if row.kind == "pass" else unit(in_channels, channels=one),
        nn.Sequential(
            unit(in_channels, channels=reduce_three), unit(reduce_three, channels=three, size=3, stride=stride)
        ),
        nn.Sequential(
            unit(in_channels, channels=reduce_double),
            unit(reduce_double, channels=double, size=3),
            unit(double, channels=double, size=3, stride=stride),
        ),
        pooling if row.kind == "pass" else nn.Sequential(pooling, unit(in_channels, channels=pool)),
        out_channels=sum(widths),
    )


class BNInception(nn.Module):
    """A stem, ten inception modules, a global average, one linear layer: figure 5.

    width  channels of the stem, 64 in the paper; all other maps are in proportion
    """

    def __init__(self, *, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH) -> None:
        super().__init__()
        module = partial(inception, width=width)
        self.conv1 = unit(in_channels, channels=width, size=7, stride=2)
        self.maxpool1 = SameMaxPool2d(3, stride=2)
        self.conv2 = unit(width, channels=width)
        self.conv3 = unit(width, channels=3 * width, size=3)
        self.maxpool2 = SameMaxPool2d(3, stride=2)
        self.inception3a = module(3 * width, "3a")
        self.inception3b = module(self.inception3a.out_channels, "3b")
        self.inception3c = module(self.inception3b.out_channels, "3c")
        self.inception4a = module(self.inception3c.out_channels, "4a")
        self.inception4b = module(self.inception4a.out_channels, "4b")
        self.inception4c = module(self.inception4b.out_channels, "4c")
        self.inception4d = module(self.inception4c.out_channels, "4d")
        self.inception4e = module(self.inception4d.out_channels, "4e")
        self.inception5a = module(self.inception4e.out_channels, "5a")
        self.inception5b = module(self.inception5a.out_channels, "5b")
        self.avgpool = nn.AdaptiveAvgPool2d(1)  # 7x7 at 224 px
        self.fc = nn.Linear(self.inception5b.out_channels, num_classes)
        he_initialize(self)

    def last_map(self, images: Tensor) -> Tensor:
        """The last map, (N, 16 * width, H / 32, W / 32), sides rounded up."""
        x = self.maxpool1(self.conv1(images))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.inception3a(x)
        x = self.inception3b(x)
        x = self.inception3c(x)
        x = self.inception4a(x)
        x = self.inception4b(x)
        x = self.inception4c(x)
        x = self.inception4d(x)
        x = self.inception4e(x)
        x = self.inception5a(x)
        last: Tensor = self.inception5b(x)
        return last

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W), at any size from 1 pixel on."""
        x = self.avgpool(self.last_map(images)).flatten(1)
        logits: Tensor = self.fc(x)
        return logits

    def class_map(self, images: Tensor) -> Tensor:
        """Logits (N, K, h, w) of the net applied fully convolutionally: 7x7 averages at stride 1, then the classifier.

        Images of 224 px and below give one position, with the logits of `forward`.
        """
        return window_logits(self.last_map(images), self.fc)

    def stage_ends(self) -> dict[str, int]:
        """The children after which `stages` takes a map, with its channels."""
        return {
            "conv1": self.conv1.conv.out_channels,
            "conv3": self.conv3.conv.out_channels,
            "inception3b": self.inception3b.out_channels,
            "inception4d": self.inception4d.out_channels,
            "inception5b": self.inception5b.out_channels,
        }


def bn_inception(*, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH) -> BNInception:
    """The net of figure 5, with `width` channels in its stem.

    width  channels of the first convolution, by which all others scale
    """
    return BNInception(num_classes=num_classes, in_channels=in_channels, width=width)
