"""Ways to a finer map: bilinear to a given size, and the transposed convolution that does the same."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEW_CHANNELS = 32
"""Channels below which maps, logits as a rule, are interpolated in bf16 by two products of matrices."""


def resized(maps: Tensor, like: Tensor, *, corners: bool) -> Tensor:
    """`maps` (N, C, h, w) interpolated bilinearly to the height and width of `like`, (N, C, H, W).

    corners  the centres of the corner pixels coincide, as the positions of a strided net do at sizes of k * stride + 1;
             otherwise the outer edges of the corner pixels coincide
    """
    if in_cpu_bf16(maps) and maps.shape[1] < FEW_CHANNELS:
        sizes = zip(maps.shape[-2:], like.shape[-2:], strict=True)
        rows, columns = (interpolation(*each, corners=corners).to(maps.dtype) for each in sizes)
        return rows @ (maps.contiguous() @ columns.T)
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=corners)


def interpolation(size: int, finer: int, *, corners: bool) -> Tensor:
    """The matrix (finer, size), float64, that interpolates a line of `size` values linearly."""
    units = torch.eye(size, dtype=torch.double)[None]
    return F.interpolate(units, size=finer, mode="linear", align_corners=corners)[0].T


def in_cpu_bf16(maps: Tensor) -> bool:
    """Whether products of matrices are far cheaper than anything else that touches the maps."""
    return maps.device.type == "cpu" and maps.dtype == torch.bfloat16


def bilinear_kernel(side: int) -> Tensor:
    """The kernel (side, side) with which a transposed convolution of stride side / 2 interpolates bilinearly."""
    factor = (side + 1) // 2
    centre = factor - 1 if side % 2 else factor - 0.5
    weights = 1 - (torch.arange(side) - centre).abs() / factor
    return torch.outer(weights, weights)


class BlockwiseDeconvolution(nn.ConvTranspose2d):
    """A transposed convolution, without bias, whose window is twice its stride; in bf16 by `deconvolved`.

    At stride 32 PyTorch's own takes 14 s in bf16 for a batch that takes 0.1 s this way, on one core.
    """

    def __init__(self, in_channels: int, out_channels: int, *, factor: int) -> None:
        super().__init__(in_channels, out_channels, 2 * factor, stride=factor, bias=False)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, (H + 1) * factor, (W + 1) * factor)."""
        if x.dtype != torch.bfloat16 or output_size is not None:
            return super().forward(x, output_size)
        return deconvolved(x, self.weight.to(x.dtype))


def deconvolved(x: Tensor, weight: Tensor) -> Tensor:
    """The transposed convolution of x (N, I, H, W) by weight (I, O, 2f, 2f) with stride f: (N, O, (H + 1)f, (W + 1)f).

    Each value meets 2x2 of x, by weights that depend on its place in a block of f x f; so one ordinary convolution
    gives all places as channels.
    """
    f = weight.shape[2] // 2
    windows = weight.reshape(*weight.shape[:2], 2, f, 2, f).flip(2, 4)
    places = windows.permute(1, 3, 5, 0, 2, 4).reshape(-1, x.shape[1], 2, 2)
    return F.pixel_shuffle(F.conv2d(x, places, padding=1), f)
