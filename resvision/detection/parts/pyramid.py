"""Feature pyramid: Lin et al. 2017, Feature Pyramid Networks, https://arxiv.org/abs/1612.03144, section 3.

Parameter names are torchvision's. Weights are drawn as the authors' Detectron draws them, uniformly with variance
1 / fan-in, biases 0.

Glossary
    Ck, Pk  maps of stride 2^k of the encoder and of the pyramid, (N, channels, H / 2^k, W / 2^k)
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.stages import Stages

Source = Literal["C5", "P5"]
"""The map from which the convolutions of P6 and P7 start."""


class CoarserMaps(nn.Module):
    """A module that adds `count` maps to the coarse end of a pyramid. Abstract."""

    count: int

    @abstractmethod
    def forward(self, encoded: Tensor, pyramid: Tensor) -> tuple[Tensor, ...]:
        """Maps, each of half the side of the one before, from the coarsest of the encoder and of the pyramid."""


class FeaturePyramid(nn.Module):
    """A top-down path over maps of an encoder: figure 3.

    1. A 1x1 convolution gives each map the pyramid's channels.
    2. From coarse to fine, each is added to the sum of those above it, repeated to its size.
    3. A 3x3 convolution of each sum gives P.

    maps      the encoder's maps that it takes, fine to coarse, with their channels
    channels  of every map of the pyramid
    coarser   the module that adds maps to these
    names     of the pyramid's maps, fine to coarse
    """

    def __init__(self, maps: Mapping[str, int], *, channels: int, coarser: CoarserMaps | None = None) -> None:
        super().__init__()
        self.takes = [*maps]
        self.channels = channels
        self.inner_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(entering, channels, 1)) for entering in maps.values())
        self.layer_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1)) for _ in maps)
        self.extra_blocks = coarser
        levels = [int(name[1:]) for name in maps]
        levels += range(levels[-1] + 1, levels[-1] + 1 + (coarser.count if coarser else 0))
        self.names = [f"P{level}" for level in levels]
        initialize(self)

    def forward(self, maps: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The pyramid's maps, by name, fine to coarse."""
        laterals = [inner(maps[name]) for name, inner in zip(self.takes, self.inner_blocks, strict=True)]
        sums = [laterals[-1]]
        for lateral in laterals[-2::-1]:
            sums.insert(0, lateral + repeated(sums[0], lateral))
        pyramid = [layer(total) for layer, total in zip(self.layer_blocks, sums, strict=True)]
        if self.extra_blocks is not None:
            pyramid.extend(self.extra_blocks(maps[self.takes[-1]], pyramid[-1]))
        return dict(zip(self.names, pyramid, strict=True))


class StridedMaps(CoarserMaps):
    """P6 and P7, each by a 3x3 convolution of stride 2, with a ReLU between them.

    Lin et al. 2017, Focal Loss, https://arxiv.org/abs/1708.02002, note 2 to section 4.

    source       the paper starts from C5, torchvision from P5
    in_channels  of C5
    """

    count = 2

    def __init__(self, in_channels: int, *, channels: int, source: Source) -> None:
        super().__init__()
        self.source = source
        self.p6 = nn.Conv2d(in_channels if source == "C5" else channels, channels, 3, stride=2, padding=1)
        self.p7 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, encoded: Tensor, pyramid: Tensor) -> tuple[Tensor, Tensor]:
        """P6 and P7."""
        p6 = self.p6(encoded if self.source == "C5" else pyramid)
        return p6, self.p7(F.relu(p6))


class SubsampledMap(CoarserMaps):
    """P6 as every second row and column of P5, for proposals alone: Lin et al. 2017, note 2 to section 4.1."""

    count = 1

    def forward(self, encoded: Tensor, pyramid: Tensor) -> tuple[Tensor]:
        """P6."""
        return (F.max_pool2d(pyramid, 1, stride=2),)


class PyramidEncoder(nn.Module):
    """An encoder under a feature pyramid, by the names that torchvision gives them."""

    def __init__(self, body: Stages, *, fpn: FeaturePyramid) -> None:
        super().__init__()
        self.body = body
        self.fpn = fpn

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The pyramid's maps of images (N, C, H, W), by name, fine to coarse."""
        maps: dict[str, Tensor] = self.fpn(self.body(images))
        return maps


def repeated(coarse: Tensor, fine: Tensor) -> Tensor:
    """The coarse map, its nearest values repeated to the size of the fine one."""
    return F.interpolate(coarse, size=fine.shape[-2:], mode="nearest")


def initialize(net: nn.Module) -> None:
    """Draw every convolution uniformly with variance 1 / fan-in, in place; biases are 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and not module.weight.is_meta:
            nn.init.kaiming_uniform_(module.weight, a=1)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
