"""A convolution over maps of several sizes, interpolated to one size and joined, without making the joined map.

Interpolation and convolution are linear, so a coarse map may meet the weights before it is interpolated: a quarter of
the sides, a sixteenth of the products. In the decoder of DeepLabv3+ at 360x480, where a map of 23x30 becomes one of
90x120, forward and backward take 114 ms in bf16 that way and 411 in the order of the text, on two cores. What is
interpolated is rounded to bf16 on the way, as every result is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.segmentation.parts.upsampling import in_cpu_bf16, interpolation, resized

COARSE = 1.5
"""How many times finer a map is to become for the other order to pay."""


class SideBySide(NamedTuple):
    """Maps (N, C_i, h_i, w_i) to be interpolated to the size of `like` and joined; `corners` as in `resized`."""

    maps: Sequence[Tensor]
    like: Tensor
    corners: bool

    def joined(self) -> Tensor:
        """The one map, (N, sum of C_i, H, W)."""
        sizes = [each if each is self.like else resized(each, self.like, corners=self.corners) for each in self.maps]
        return torch.cat(sizes, dim=1)


class JoinedConv2d(nn.Conv2d):
    """A convolution without bias, of stride 1 and an odd window, over maps side by side: (N, out_channels, H, W).

    In bf16 on a CPU coarse maps are interpolated after it, in fp32 and elsewhere before.
    """

    def __init__(self, in_channels: int, out_channels: int, window: int) -> None:
        super().__init__(in_channels, out_channels, window, padding=window // 2, bias=False)

    def forward(self, beside: SideBySide) -> Tensor:  # type: ignore[override]
        """(N, out_channels, H, W) for maps of in_channels channels in all."""
        if not in_cpu_bf16(beside.like):
            return super().forward(beside.joined())
        size = beside.like.shape[-2:]
        channels = [each.shape[1] for each in beside.maps]
        weights = torch.split(self.weight.to(beside.like.dtype), channels, dim=1)
        parts: list[Tensor] = []
        for maps, weight in zip(beside.maps, weights, strict=True):
            if COARSE * maps.shape[2] <= size[0] and COARSE * maps.shape[3] <= size[1]:
                parts.append(convolved_then_resized(maps, weight, size, corners=beside.corners))
            else:
                fine = SideBySide([maps], beside.like, beside.corners).joined()
                parts.append(F.conv2d(fine, weight, padding=self.padding))
        return sum(parts[1:], start=parts[0])


def convolved_then_resized(maps: Tensor, weight: Tensor, size: Sequence[int], *, corners: bool) -> Tensor:
    """The convolution, padded by half a window, of maps interpolated to `size`, as products of matrices.

    Every value of `maps` meets every tap of the kernel; the results are interpolated, moved by their tap's place and
    summed: along the rows first, then down the columns.

    maps    (N, C, h, w)
    weight  (O, C, kh, kw), kh and kw odd
    size    (H, W)
    """
    (number, channels, height, width), (outputs, _, rows, columns) = maps.shape, weight.shape
    taps = weight.permute(2, 3, 0, 1).reshape(-1, channels)  # (kh kw O, C)
    met = maps.permute(0, 2, 3, 1).reshape(-1, channels) @ taps.T  # (N h w, kh kw O)
    met = met.view(number, height, width, rows, columns, outputs).permute(0, 3, 1, 4, 2, 5)
    met = met.reshape(number * rows * height, columns * width, outputs)
    across = moved(width, size[1], columns, corners=corners).to(met.dtype) @ met  # (N kh h, W, O)
    across = across.view(number, rows * height, size[1] * outputs)
    down = moved(height, size[0], rows, corners=corners).to(met.dtype) @ across
    return down.view(number, *size, outputs).permute(0, 3, 1, 2)


def moved(size: int, finer: int, taps: int, *, corners: bool) -> Tensor:
    """What each tap of a window sees of an interpolated line, (finer, taps * size); beyond its ends there are zeros."""
    line = F.pad(interpolation(size, finer, corners=corners), (0, 0, taps // 2, taps // 2))
    return torch.cat([line[tap : tap + finer] for tap in range(taps)], dim=1)
