"""ZF-5, and the same net with spatial pyramid pooling: He et al. 2014, https://arxiv.org/abs/1406.4729, section 2.

Five convolutions after Zeiler and Fergus 2013, https://arxiv.org/abs/1311.2901, and three linear layers. `zf5` ends the
convolutions with a max pooling to 6x6, which ties it to one size of images. `sppnet_zf5` ends them with a pyramid of
bins, and takes images of any size. Paddings, normalizations and first weights, which the paper does not print, are
those of the released nets.
"""

from collections import OrderedDict
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.layers.fully_connected import classify_everywhere
from resvision.layers.init import relu_initialize
from resvision.layers.lrn import PixelResponseNorm
from resvision.layers.pooling import CeilMaxPool2d
from resvision.layers.sizes import require_side, scaled, sides_are_known
from resvision.layers.spp import SpatialPyramidPooling

Init = Literal["caffe", "he"]
Pyramid = Literal["6-3-2-1", "4-3-2-1"]

FULL_WIDTH = 96
LEAST_PX, LEAST_PX_OF_SPP = 47, 31
"""Least side in pixels of an image of which the poolings leave one position, with and without the last of them."""


class ZF5(nn.Module):
    """Convolutions, a pooling to vectors of one length, three linear layers.

    features    `zf_features`
    pool5       from maps of any size to (N, C, S, S) or (N, D)
    bins        values that it gives for each channel
    input_size  side of the images, where `pool5` gives the right length for one size alone
    widths      channels of the maps, as `widths_of` gives them
    """

    def __init__(
        self,
        features: nn.Sequential,
        pool5: nn.Module,
        *,
        num_classes: int,
        bins: int,
        widths: tuple[int, ...],
        input_size: int | None = None,
        init: Init = "caffe",
    ) -> None:
        super().__init__()
        hidden = scaled(4096, width=widths[0], full=FULL_WIDTH)
        self.input_size = input_size
        self.bins = bins
        self.widths = widths
        self.features = features
        self.pool5 = pool5
        self.classifier = nn.Sequential(
            OrderedDict(
                fc6=nn.Linear(widths[-1] * bins, hidden),
                relu6=nn.ReLU(inplace=True),
                drop6=nn.Dropout(0.5),
                fc7=nn.Linear(hidden, hidden),
                relu7=nn.ReLU(inplace=True),
                drop7=nn.Dropout(0.5),
                fc8=nn.Linear(hidden, num_classes),
            )
        )
        initialize(self, init)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K) of images (N, C, H, W).

        Raises SettingsError for images below 31 px, and, without a pyramid, for those that are not `input_size` px wide
        and high.
        """
        x = self.pool5(self.features(self._checked(images)))
        logits: Tensor = self.classifier(x.flatten(1))
        return logits

    def stage_ends(self) -> dict[str, int]:
        """The children after which `stages` takes C1 to C4, and C5 where the last pooling gives a map."""
        first, second, last = self.widths[0], self.widths[1], self.widths[-1]
        ends = {"features.norm1": first, "features.pool1": first, "features.norm2": second, "features.relu5": last}
        return ends if self.input_size is None else {**ends, "pool5": last}

    def _checked(self, images: Tensor) -> Tensor:
        """The images. Raises as `forward` does."""
        require_side(images, least=LEAST_PX_OF_SPP, net="ZF-5")
        side = self.input_size
        if side is not None and sides_are_known(images) and images.shape[2:] != (side, side):
            height, width = images.shape[2:]
            raise SettingsError(
                f"images are {height}x{width}, this ZF-5 is for {side}x{side}: build it with their input_size (square"
                " images only), or choose sppnet_zf5, which takes any"
            )
        return images


class FixedZF5(ZF5):
    """ZF-5 without a pyramid, which can also be applied to every position of a larger image."""

    def class_map(self, images: Tensor) -> Tensor:
        """Logits (N, K, h, w) at each position of the net applied fully convolutionally; 1x1 at `input_size`."""
        require_side(images, least=LEAST_PX, net="ZF-5")
        x = self.pool5(self.features(images))
        return classify_everywhere(self.classifier, x, window=round(self.bins**0.5))


def widths_of(width: int) -> tuple[int, ...]:
    """Channels of the five convolutions, the first of which has `width`, 96 in the paper."""
    return tuple(scaled(channels, width=width, full=FULL_WIDTH) for channels in (96, 256, 384, 384, 256))


def zf_features(*, in_channels: int, width: int, centred: bool = False) -> nn.Sequential:
    """The layers up to the ReLU of conv5, whose map has stride 16: 13x13 for images of 224 px.

    centred  pads so that position i of the last map looks at what lies around pixel 16 i, as Faster R-CNN has it; the
             weights are the same
    """
    first, second, third, fourth, fifth = widths_of(width)
    pads = (3, 2) if centred else (1, 0)

    def pool() -> nn.Module:
        return nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True) if centred else CeilMaxPool2d(3, stride=2)

    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(in_channels, first, 7, stride=2, padding=pads[0]),
            relu1=nn.ReLU(inplace=True),
            norm1=PixelResponseNorm(),
            pool1=pool(),
            conv2=nn.Conv2d(first, second, 5, stride=2, padding=pads[1]),
            relu2=nn.ReLU(inplace=True),
            norm2=PixelResponseNorm(),
            pool2=pool(),
            conv3=nn.Conv2d(second, third, 3, padding=1),
            relu3=nn.ReLU(inplace=True),
            conv4=nn.Conv2d(third, fourth, 3, padding=1),
            relu4=nn.ReLU(inplace=True),
            conv5=nn.Conv2d(fourth, fifth, 3, padding=1),
            relu5=nn.ReLU(inplace=True),
        )
    )


def initialize(net: nn.Module, init: Init) -> None:
    """Draw the weights of a net that ends in fc8 from N(0, 0.01^2), or by "he", in place; biases are 0.

    "he", which is not the paper's, is N(0, 2 / fan_in), and keeps the signal's size. Raises SettingsError for another.
    """
    if init not in get_args(Init):
        raise SettingsError(f"init {init!r}: choices are {', '.join(get_args(Init))}")
    if init == "he":
        relu_initialize(net, last=net.get_submodule("classifier.fc8"))
        return
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:
            nn.init.normal_(module.weight, std=0.01)
            assert module.bias is not None
            nn.init.zeros_(module.bias)


def zf5(
    *,
    num_classes: int,
    in_channels: int = 3,
    input_size: int = 224,
    width: int = FULL_WIDTH,
    init: Init = "caffe",
) -> FixedZF5:
    """The net without a pyramid, for square images of `input_size` px.

    width  channels of the first convolution, by which all others scale
    init   rule by which the first weights are drawn

    Raises SettingsError for images below 47 px, and for another init.
    """
    if input_size < LEAST_PX:
        raise SettingsError(
            f"input_size {input_size}: ZF-5's poolings need {LEAST_PX} px or more; train it with --set"
            f" data.image_size={LEAST_PX}"
        )
    return FixedZF5(
        zf_features(in_channels=in_channels, width=width),
        CeilMaxPool2d(3, stride=2),
        num_classes=num_classes,
        bins=_last_side(input_size) ** 2,
        widths=widths_of(width),
        input_size=input_size,
        init=init,
    )


def sppnet_zf5(
    *,
    num_classes: int,
    in_channels: int = 3,
    width: int = FULL_WIDTH,
    pyramid: Pyramid = "6-3-2-1",
    init: Init = "caffe",
) -> ZF5:
    """The net with a pyramid, for images of any size from 31 px on.

    width    channels of the first convolution, by which all others scale
    pyramid  sides of the grids of bins: 50 bins, or the paper's smaller one of 30
    init     rule by which the first weights are drawn

    Raises SettingsError for another pyramid or init.
    """
    if pyramid not in get_args(Pyramid):
        raise SettingsError(f"pyramid {pyramid!r}: choices are {', '.join(get_args(Pyramid))}")
    pool5 = SpatialPyramidPooling([int(level) for level in pyramid.split("-")])
    return ZF5(
        zf_features(in_channels=in_channels, width=width),
        pool5,
        num_classes=num_classes,
        bins=pool5.bins,
        widths=widths_of(width),
        init=init,
    )


def _last_side(input_size: int) -> int:
    """Positions along one side of the last map, after three poolings."""
    with torch.device("meta"), torch.no_grad():
        layers = nn.Sequential(zf_features(in_channels=1, width=1), CeilMaxPool2d(3, stride=2))
        return int(layers(torch.empty(1, 1, input_size, input_size)).shape[-1])
