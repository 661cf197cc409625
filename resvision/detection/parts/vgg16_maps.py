"""The maps of VGG-16 that SSD and RefineDet read, with its fc6 and fc7 as convolutions.

Liu et al. 2016, https://arxiv.org/abs/1512.02325, Figure 2, and Zhang et al. 2018, https://arxiv.org/abs/1711.06897.
Where the papers start with trained weights of VGG-16, fresh ones are drawn by He's rule here, since Glorot's, which
they use for their own layers, lets the signal of so deep a net die out.

Glossary
    maps      (N, C, h, w) by name, the finest first
    names     of the maps, in that order
    channels  of the maps, in that order
"""

import torch
from torch import Tensor, nn

from resvision.classification.stages import Map, Stages
from resvision.classification.vgg import blocks, pools_of, widths_of
from resvision.detection.parts.source_maps import SSD_LENGTHS, further_map, normalized
from resvision.detection.parts.vgg16_stages import vgg16_stages
from resvision.layers.init import he_initialize_incoming
from resvision.layers.sizes import require_side, scaled

REFINED_NAMES = {"C1": "conv2_2", "C2": "conv3_3", "C3": "conv4_3", "C4": "conv5_3"}
"""The paper's names of the maps of VGG-16; RefineDet reads the last two, and stages are frozen up to any."""


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
        self.scale_weight = nn.Parameter(torch.full((conv4,), SSD_LENGTHS[0]))
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


def vgg16_with_conv6(*, in_channels: int, width: int) -> Stages:
    """VGG-16 with fc6 and fc7 as convolutions, and conv6: RefineDet reads its maps of strides 8 to 64.

    Unlike in SSD the fifth pooling halves the sides, and fc6 is dilated by 3. Poolings round up, as in Caffe.

    width  channels of the first convolution, by which all others scale
    """
    vgg16 = vgg16_stages(in_channels=in_channels, width=width)
    fc7, squeezed, conv6 = (scaled(count, width=width, full=64) for count in (1024, 256, 512))
    children = {
        **dict(vgg16.named_children()),
        "fc": convolutional_fc(nn.MaxPool2d(2, ceil_mode=True), vgg16.channels["C4"], fc7, dilation=3),
        "conv6": further_map(fc7, squeezed, conv6),
    }
    steps = {path: REFINED_NAMES.get(name, "") for path, name in vgg16.steps.items()}
    maps = {REFINED_NAMES[name]: Map(vgg16.channels[name], vgg16.stride[name]) for name in vgg16.channels}
    maps |= {"fc7": Map(fc7, 32), "conv6_2": Map(conv6, 64)}
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
