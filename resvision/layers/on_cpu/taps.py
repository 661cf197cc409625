"""A kernel of large dilation, as in an atrous spatial pyramid: a product for each of its taps.

Each goes over the part of the map that the tap sees; they are summed in fp32. 2048 channels to 256 over 65 x 65, bf16,
on two cores, forward: rates 6, 12, 24 and 36 take 96, 49, 60 and 47 ms in place of 216, 414, 502 and 755. 512 to 256
over 23 x 30, 4 images, forward and backward: rates 6, 12 and 18 take 54, 39 and 27 ms in place of 40, 53 and 47.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from resvision.layers.on_cpu.cast import as_autocast


def conv_by_taps(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: tuple[int, ...]) -> Tensor:
    """A convolution of stride 1 that keeps the sides of its input, as a sum of 1x1 products.

    x       (N, C, H, W)
    weight  (O, C, kh, kw), kh and kw odd
    """
    y: Tensor = _ByTaps.apply(as_autocast(x), as_autocast(weight), dilation)
    return y if bias is None else y + as_autocast(bias)[:, None, None]


class _ByTaps(torch.autograd.Function):
    """Its gradients by taps, too: recorded slices would each be filled up to the whole map and then added up."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return _summed_taps(x, weight, dilation)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, _ = ctx.needs_input_grad
        grad_x = _summed_taps(grad, weight.transpose(0, 1).flip(2, 3), ctx.dilation) if of_x else None
        if not of_weight:
            return grad_x, None, None
        grad_taps = weight.new_zeros(*weight.shape[2:], *weight.shape[:2])  # (kh, kw, O, C)
        x, grad = (each.permute(0, 2, 3, 1) for each in (x, grad))
        for row, column, seen, seeing in _taps(x.shape[1:3], weight.shape[2:], ctx.dilation):
            met = x[:, *seen].flatten(0, 2)
            grad_taps[row, column] = grad[:, *seeing].flatten(0, 2).T @ met
        return grad_x, grad_taps.permute(2, 3, 0, 1), None


def _summed_taps(x: Tensor, weight: Tensor, dilation: tuple[int, ...]) -> Tensor:
    rows, columns = weight.shape[2] // 2, weight.shape[3] // 2
    y = F.conv2d(x, weight[:, :, rows : rows + 1, columns : columns + 1])
    y = y.to(torch.promote_types(y.dtype, torch.float32))
    for row, column, seen, seeing in _taps(x.shape[2:], weight.shape[2:], dilation):
        if (row, column) != (rows, columns):
            y[:, :, *seeing] += F.conv2d(x[:, :, *seen], weight[:, :, row, column, None, None])
    return y.to(x.dtype)


def _taps(
    sides: tuple[int, ...], kernel: tuple[int, ...], dilation: tuple[int, ...]
) -> Iterator[tuple[int, int, tuple[slice, slice], tuple[slice, slice]]]:
    """Every tap that meets the map: its row and column, what it sees of the map, and which outputs see it."""
    for row, column in itertools.product(range(kernel[0]), range(kernel[1])):
        shifts = (row - kernel[0] // 2) * dilation[0], (column - kernel[1] // 2) * dilation[1]
        if all(abs(shift) < side for shift, side in zip(shifts, sides, strict=True)):
            (down, right), (height, width) = shifts, sides
            seen = _overlap(down, height), _overlap(right, width)
            yield row, column, seen, (_overlap(-down, height), _overlap(-right, width))


def _overlap(shift: int, size: int) -> slice:
    """The places of a line that are still on it when moved back by `shift`."""
    return slice(max(0, shift), size + min(0, shift))
