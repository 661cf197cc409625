"""Ways to a finer map: bilinear to a given size, and the transposed convolution that does the same."""

import torch
import torch.nn.functional as F
from torch import Tensor


def resized(maps: Tensor, like: Tensor, *, corners: bool) -> Tensor:
    """`maps` (N, C, h, w) interpolated bilinearly to the height and width of `like`, (N, C, H, W).

    corners  the centres of the corner pixels coincide, as the positions of a strided net do at sizes of k * stride + 1;
             otherwise the outer edges of the corner pixels coincide
    """
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=corners)


def bilinear_kernel(side: int) -> Tensor:
    """The kernel (side, side) with which a transposed convolution of stride side / 2 interpolates bilinearly."""
    factor = (side + 1) // 2
    centre = factor - 1 if side % 2 else factor - 0.5
    weights = 1 - (torch.arange(side) - centre).abs() / factor
    return torch.outer(weights, weights)
