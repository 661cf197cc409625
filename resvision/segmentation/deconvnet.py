"""DeconvNet: Noh, Hong, Han 2015, https://arxiv.org/abs/1505.04366.

VGG-16 with batch normalization leads down to a vector of 4096 numbers, and its mirror image up again. Each unpooling
puts a value back where the pooling of the same level had found its maximum (the switches). The convolutions on the way
down have the names of torchvision's vgg16_bn, whose weights `model.encoder_from=torchvision` takes. The paper starts
from those of VGG-16; without them all are drawn by He's rule.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.vgg import CONFIGS
from resvision.geometry.tiles import InputRule
from resvision.layers.init import he_initialize_incoming
from resvision.segmentation.parts.tiles import require_taken

SIDE = 224
WINDOW = 7
DEPTHS = tuple(len(windows) for windows in CONFIGS["D"])
"""The number of convolutions of each level, shallow to deep; on the way back there are as many deconvolutions."""
MIRRORED_SIDES = tuple(SIDE >> level for level in reversed(range(len(DEPTHS))))
"""The sides of the maps after each unpooling, deep to shallow."""


def normalized(layer: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    """The layer, followed by batch normalization and ReLU."""
    return [layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU(inplace=True)]


class DeconvNet(nn.Module):
    """VGG-16 and its mirror image: maps of 224, 112, 56, 28, 14, 7 and 1 pixels a side, and the same sizes back.

    features     convolutions with their normalization and ReLU, and the poolings, in one list as in torchvision
    fc6, fc7     the fully connected layers as convolutions; fc6_deconv brings 1x1 back to 7x7
    deconvs      the deconvolutions of each level, deep to shallow
    """

    auxiliary: tuple[str, ...] = ()
    input_rule = InputRule(fixed_px=SIDE)

    def __init__(self, *, num_classes: int, in_channels: int = 3, width: int = 64) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width, 8 * width]
        deepest, hidden = widths[-1], 64 * width
        layers: list[nn.Module] = []
        for depth, channels in zip(DEPTHS, widths, strict=True):
            for _ in range(depth):
                layers += normalized(nn.Conv2d(in_channels, channels, 3, padding=1))
                in_channels = channels
            layers.append(nn.MaxPool2d(2, return_indices=True))
        self.features = nn.ModuleList(layers)
        self.fc6 = nn.Sequential(*normalized(nn.Conv2d(deepest, hidden, WINDOW)))
        self.fc7 = nn.Sequential(*normalized(nn.Conv2d(hidden, hidden, 1)))
        self.fc6_deconv = nn.Sequential(*normalized(nn.ConvTranspose2d(hidden, deepest, WINDOW)))
        self.deconvs = nn.ModuleList(
            _mirrored_level(depth, channels=channels, next_channels=next_channels)
            for depth, (channels, next_channels) in zip(reversed(DEPTHS), pairwise([*widths[::-1], width]), strict=True)
        )
        self.score = nn.Conv2d(width, num_classes, 1)
        he_initialize_incoming(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K, 224, 224) of images (N, C, 224, 224). Raises SettingsError for other sizes."""
        require_taken(self.input_rule, images, net="DeconvNet")
        x, switches = self.convolve(images)
        x = self.fc6_deconv(self.fc7(self.fc6(x)))
        for side, level in zip(MIRRORED_SIDES, self.deconvs, strict=True):
            x = F.max_unpool2d(x, switches.pop(), [2, 2], output_size=[side, side])
            x = level(x)
        logits: Tensor = self.score(x)
        return logits

    def convolve(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The last map, (N, 8 * width, 7, 7), and the switches of the poolings, shallow to deep."""
        x, switches = images, []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                x, positions = layer(x)
                switches.append(positions)
            else:
                x = layer(x)
        return x, switches


def _mirrored_level(depth: int, *, channels: int, next_channels: int) -> nn.Sequential:
    """`depth` deconvolutions at one size, the last to `next_channels`, those of the next level."""
    layers: list[nn.Module] = []
    for out_channels in [channels] * (depth - 1) + [next_channels]:
        layers += normalized(nn.ConvTranspose2d(channels, out_channels, 3, padding=1))
    return nn.Sequential(*layers)


def deconvnet(*, num_classes: int, in_channels: int = 3, width: int = 64) -> DeconvNet:
    """The paper's net; `width` is the number of channels of its first level.

    width  channels of the first convolution, by which all others scale
    """
    return DeconvNet(num_classes=num_classes, in_channels=in_channels, width=width)
