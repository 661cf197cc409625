"""The maps of several strides on which heads of one-stage detectors stand, over any net: its own, and further ones.

Liu et al. 2016, SSD, https://arxiv.org/abs/1512.02325, Figure 2, reads two maps of VGG-16 and four further ones; Zhang
et al. 2018, RefineDet, https://arxiv.org/abs/1711.06897, three and a further one. Over another net these are its own
maps, then further ones of half the side each. New layers are drawn by He's rule, where the papers have Glorot's.

Glossary
    maps      (N, C, h, w) by name, the finest first
    names     of the maps, in that order
    channels  of the maps, in that order
    strides   of the maps, in that order
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.stages import Stages
from resvision.layers.init import he_initialize_incoming

SSD_LENGTHS = (20.0,)
"""The length to which SSD scales the vectors of its first map at first."""


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
        lengths: Sequence[float] = SSD_LENGTHS,
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
