"""Bilinear interpolation to a finer map, and the kernel with which a transposed convolution does the same."""

import torch
from torch import Tensor

from resvision.layers.on_cpu.interpolation import resize_bilinear


def resized(maps: Tensor, like: Tensor, *, align_corners: bool) -> Tensor:
    """`maps` (N, C, h, w) interpolated bilinearly to the height and width of `like`, (N, C, H, W).

    align_corners  the centres of the corner pixels coincide, as the positions of a strided net do at sizes of
                   k * stride + 1; otherwise the outer edges of the corner pixels coincide
    """
    return resize_bilinear(maps, (like.shape[-2], like.shape[-1]), align_corners=align_corners)


def bilinear_kernel(side: int) -> Tensor:
    """The kernel (side, side) with which a transposed convolution of stride side / 2 interpolates bilinearly."""
    factor = (side + 1) // 2
    centre = factor - 1 if side % 2 else factor - 0.5
    weights = 1 - (torch.arange(side) - centre).abs() / factor
    return torch.outer(weights, weights)
