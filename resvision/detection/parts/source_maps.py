"""The maps of several strides on which heads of one-stage detectors stand: those of SSD and of RefineDet.

Liu et al. 2016, https://arxiv.org/abs/1512.02325, Figure 2, reads two maps of VGG-16 and four further ones; Zhang et
al. 2018, https://arxiv.org/abs/1711.06897, three and a further one. Over another net these are its own maps, then
further ones of half the side each. Where the papers start with trained weights of VGG-16, fresh ones are drawn by He's
rule here, since Glorot's, which they use for their own layers, lets the signal of so deep a net die out.

Glossary
    maps      (N, C, h, w) by name, the finest first
    names     of the maps, in that order
    channels  of the maps, in that order
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.stages import Map, Stages
from resvision.classification.vgg import blocks, pools_of, widths_of
from resvision.layers.init import he_initialize_incoming
from resvision.layers.sizes import require_side, scaled

FIRST_SCALE = 20.0
"""The length to which SSD scales the vectors of the first map at first."""


class VGG16Maps(nn.Module):
    """The six maps of SSD300: conv4_3 of VGG-16, conv7, which are its fc6 and fc7 as convolutions, and conv8 to conv11.

    The third pooling rounds up, the fifth keeps the stride, and fc6 is dilated to make up for that.
    """

    names = ("conv4_3", "conv7", "conv8_2", "conv9_2", "conv10_2", "conv11_2")
    least_px = 268
    """The least side of an image of which the last map has a position."""

    def __init__(self, *, in_channels: int, width: int) -> None:
        super().__init__()
        layers = blocks("D", in_channels=in_channels, width=width)
        _, _, pool3, pool4, _ = pools_of(layers)
        layers[pool3] = nn.MaxPool2d(2, ceil_mode=True)
        conv4 = widths_of(width)[-1]
        fc7, conv8, squeezed, conv9 = (scaled(count, width=width, full=64) for count in (1024, 512, 128, 256))
        self.scale_weight = nn.Parameter(torch.full((conv4,), FIRST_SCALE))
        self.features = layers[:pool4]
        dilated = convolutional_fc(nn.MaxPool2d(3, stride=1, padding=1), conv4, fc7, dilation=6)
        self.extra = nn.ModuleList(
            [
                nn.Sequential(*layers[pool4:-1], dilated),
                further_map(fc7, conv9, conv8),
                further_map(conv8, squeezed, conv9),
                further_map(conv9, squeezed, conv9, halved=False),
                further_map(conv9, squeezed, conv9, halved=False),
            ]
        )
        self.channels = [conv4, fc7, conv8, conv9, conv9, conv9]
        he_initialize_incoming(self)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The maps by name, the finest first; SettingsError for images below 268 px."""
        require_side(images, least=self.least_px, net="SSD300")
        x = self.features(images)
        maps = {self.names[0]: normalized(x, self.scale_weight)}
        for name, block in zip(self.names[1:], self.extra, strict=True):
            x = block(x)
            maps[name] = x
        return maps

    def encoder_names(self) -> dict[str, str]:
        """VGG-16's names of the weights of its convolutions, by the names here.

        fc6 and fc7 start afresh, where the paper takes every third of their rows and columns.
        """
        conv5, before = self.extra[0], len(self.features)
        assert isinstance(conv5, nn.Sequential)
        names = {key: key for key in self.state_dict() if key.startswith("features.")}
        for place, layer in enumerate(conv5[:-1]):
            names |= {f"extra.0.{place}.{key}": f"features.{before + place}.{key}" for key in layer.state_dict()}
        return names


class BackboneMaps(nn.Module):
    """The maps of a net from `first_stride` on, and `count` further ones, each of half the side.

    Of a net whose maps are all finer it takes the deepest. Further maps are batch-normalized where the net itself is,
    which the papers' are not; the last is not, as one position of one image has no variance.

    channels  of the further maps
    lengths   to which the vectors of the first maps are scaled at first: the first for SSD, two for RefineDet
    new       children of the net that its classifier lacks, whose weights start afresh
    """

    def __init__(
        self,
        body: Stages,
        *,
        first_stride: int,
        count: int,
        channels: int,
        lengths: Sequence[float] = (FIRST_SCALE,),
        new: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.body = body
        self.new = new
        deepest = [*body.channels][-1]
        self.own = [name for name in body.channels if body.stride[name] >= first_stride] or [deepest]
        self.names = (*self.own, *(f"{self.own[-1]}_{2 ** (further + 1)}" for further in range(count)))
        self.channels = [body.channels[name] for name in self.own]
        self.strides = [body.stride[name] for name in self.own]
        self.scales = nn.ParameterDict(
            {
                name: nn.Parameter(torch.full((body.channels[name],), length))
                for name, length in zip(self.own, lengths, strict=False)
            }
        )
        batch_norm = any(isinstance(module, nn.BatchNorm2d) for module in body.modules())
        self.extra = nn.ModuleList()
        for further in range(count):
            norms = batch_norm and further < count - 1
            self.extra.append(further_map(self.channels[-1], max(1, channels // 2), channels, batch_norm=norms))
            self.channels.append(channels)
            self.strides.append(2 * self.strides[-1])
        he_initialize_incoming(self.extra)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The maps by name, the finest first."""
        of_body = self.body(images)
        maps = {name: of_body[name] for name in self.own}
        x = maps[self.own[-1]]
        for name, scale in self.scales.items():
            maps[name] = normalized(maps[name], scale)
        for name, block in zip(self.names[len(self.own) :], self.extra, strict=True):
            x = block(x)
            maps[name] = x
        return maps

    def encoder_names(self) -> dict[str, str]:
        """The net's own names of its weights, by the names here."""
        return {f"body.{key}": key for key in self.body.state_dict() if key.split(".")[0] not in self.new}


def first_stride(input_px: int) -> int:
    """The stride of the finest map for images of this side: 8, or less where 24 positions along a side need it."""
    return 1 << min(3, int(math.log2(max(1, input_px / 24))))


def vgg16_with_conv6(*, in_channels: int, width: int) -> Stages:
    """VGG-16 with fc6 and fc7 as convolutions, and conv6: the maps of strides 8 to 64 that RefineDet's paper reads.

    Unlike in SSD the fifth pooling halves the sides, and fc6 is dilated by 3. Poolings round up, as in Caffe.

    width  channels of the first convolution, by which all others scale
    """
    features = blocks("D", in_channels=in_channels, width=width)[:-1]
    pools = pools_of(features)
    for pool in pools:
        features[pool] = nn.MaxPool2d(2, ceil_mode=True)
    conv5 = widths_of(width)[-1]
    fc7, squeezed, conv6 = (scaled(count, width=width, full=64) for count in (1024, 256, 512))
    fc = convolutional_fc(nn.MaxPool2d(2, ceil_mode=True), conv5, fc7, dilation=3)
    children: dict[str, nn.Module] = {"features": features, "fc": fc, "conv6": further_map(fc7, squeezed, conv6)}
    ends = {f"features.{pools[-1] - 1}": "conv4_3", f"features.{len(features) - 1}": "conv5_3"}
    steps = {f"features.{place}": ends.get(f"features.{place}", "") for place in range(len(features))}
    maps = {"conv4_3": Map(conv5, 8), "conv5_3": Map(conv5, 16), "fc7": Map(fc7, 32), "conv6_2": Map(conv6, 64)}
    body = Stages(children, steps={**steps, "fc": "fc7", "conv6": "conv6_2"}, maps=maps)
    he_initialize_incoming(body)
    return body


def convolutional_fc(pool: nn.Module, in_channels: int, channels: int, *, dilation: int) -> nn.Sequential:
    """VGG's fifth pooling, then its fc6 as a dilated 3x3 convolution and its fc7 as one of 1x1."""
    return nn.Sequential(
        pool,
        nn.Conv2d(in_channels, channels, 3, padding=dilation, dilation=dilation),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, channels, 1),
        nn.ReLU(inplace=True),
    )


def normalized(x: Tensor, scale: Tensor) -> Tensor:
    """The vector at each position of maps (N, C, h, w) brought to length 1, its channels multiplied by `scale` (C,)."""
    return F.normalize(x) * scale.view(1, -1, 1, 1)


def further_map(
    in_channels: int, squeezed: int, out_channels: int, *, halved: bool = True, batch_norm: bool = False
) -> nn.Sequential:
    """A 1x1 and a 3x3 convolution: to a map of half the side, rounded up, or of two positions less."""
    layers: list[nn.Module] = []
    for conv in (
        nn.Conv2d(in_channels, squeezed, 1, bias=not batch_norm),
        nn.Conv2d(squeezed, out_channels, 3, stride=1 + halved, padding=int(halved), bias=not batch_norm),
    ):
        layers += [conv, *([nn.BatchNorm2d(conv.out_channels)] if batch_norm else []), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
