"""Bilinear interpolation as two products of matrices, for maps of few channels.

In bf16 on a CPU torch's own interpolation is slow beside its products; logits, as a rule, have few channels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from resvision.layers.on_cpu.autocast import in_cpu_bf16

FEW_CHANNELS = 32
"""Channels below which maps are interpolated in bf16 by products of matrices."""


def resize_bilinear(maps: Tensor, size: Sequence[int], *, align_corners: bool) -> Tensor:
    """Maps (N, C, h, w) interpolated bilinearly to `size` (H, W): (N, C, H, W); `align_corners` as in torch."""
    if in_cpu_bf16(maps) and maps.shape[1] < FEW_CHANNELS:
        rows, columns = (
            interpolation_matrix(length, finer, align_corners=align_corners).to(maps.dtype)
            for length, finer in zip(maps.shape[-2:], size, strict=True)
        )
        return rows @ (maps.contiguous() @ columns.T)
    return F.interpolate(maps, size=list(size), mode="bilinear", align_corners=align_corners)


def interpolation_matrix(length: int, finer: int, *, align_corners: bool) -> Tensor:
    """The matrix (finer, length), float64, whose product with a line of `length` values interpolates it linearly."""
    units = torch.eye(length, dtype=torch.double)[None]
    return F.interpolate(units, size=finer, mode="linear", align_corners=align_corners)[0].T
