"""A convolution over the concatenation of maps of several sizes, without making that concatenation.

Interpolation and convolution are linear, so a coarse map may meet the weights before it is interpolated: a quarter of
the sides, a sixteenth of the products. In the decoder of DeepLabv3+ at 360x480, where a map of 23x30 becomes one of
90x120, forward and backward take 114 ms in bf16 that way and 411 in the order of the text, on two cores. What is
interpolated is rounded to bf16 on the way, as every result is.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from resvision.layers.on_cpu.interpolation import interpolation_matrix, resize_bilinear

COARSE = 1.5
"""How many times finer a map is to become for the other order to pay."""


def conv_over_sizes(maps: Sequence[Tensor], weight: Tensor, *, reference: int, align_corners: bool) -> Tensor:
    """The convolution, padded by half a window, of maps that would be interpolated and concatenated: (N, O, H, W).

    The weight is divided among the maps, and their convolutions are summed.

    maps       (N, C_i, h_i, w_i) each
    weight     (O, sum of C_i, kh, kw), kh and kw odd
    reference  place of the map of the final size, (H, W)
    """
    size = maps[reference].shape[-2:]
    padding = (weight.shape[2] // 2, weight.shape[3] // 2)
    weights = torch.split(weight.to(maps[reference].dtype), [part.shape[1] for part in maps], dim=1)
    terms: list[Tensor] = []
    for i, (part, part_weight) in enumerate(zip(maps, weights, strict=True)):
        if COARSE * part.shape[2] <= size[0] and COARSE * part.shape[3] <= size[1]:
            terms.append(conv_then_resize(part, part_weight, size, align_corners=align_corners))
        else:
            resized = part if i == reference else resize_bilinear(part, size, align_corners=align_corners)
            terms.append(F.conv2d(resized, part_weight, padding=padding))
    return sum(terms[1:], start=terms[0])


def conv_then_resize(maps: Tensor, weight: Tensor, size: Sequence[int], *, align_corners: bool) -> Tensor:
    """The convolution, padded by half a window, of maps interpolated to `size`, as products of matrices: (N, O, H, W).

    1. Every value of `maps` meets every tap of the kernel.
    2. The products are interpolated along the rows, moved by their tap's column, and summed over the columns.
    3. The sums are interpolated down the columns, moved by their tap's row, and summed over the rows.

    maps    (N, C, h, w)
    weight  (O, C, kh, kw), kh and kw odd
    size    (H, W)
    """
    (number, channels, height, width), (outputs, _, rows, columns) = maps.shape, weight.shape
    taps = weight.permute(2, 3, 0, 1).reshape(-1, channels)  # (kh kw O, C)
    products = maps.permute(0, 2, 3, 1).reshape(-1, channels) @ taps.T  # (N h w, kh kw O)
    products = products.view(number, height, width, rows, columns, outputs).permute(0, 3, 1, 4, 2, 5)
    products = products.reshape(number * rows * height, columns * width, outputs)
    across = shifted_interpolation(width, size[1], columns, align_corners=align_corners).to(products.dtype) @ products
    across = across.view(number, rows * height, size[1] * outputs)  # (N kh h, W, O) before
    down = shifted_interpolation(height, size[0], rows, align_corners=align_corners).to(products.dtype) @ across
    return down.view(number, *size, outputs).permute(0, 3, 1, 2)


def shifted_interpolation(length: int, finer: int, taps: int, *, align_corners: bool) -> Tensor:
    """The matrix (finer, taps * length) that interpolates a line for each tap of a window, moves it, and sums up.

    Beyond the ends of the interpolated line the window meets zeros.
    """
    matrix = interpolation_matrix(length, finer, align_corners=align_corners)
    padded = F.pad(matrix, (0, 0, taps // 2, taps // 2))
    return torch.cat([padded[tap : tap + finer] for tap in range(taps)], dim=1)
