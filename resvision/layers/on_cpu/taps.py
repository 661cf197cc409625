"""A convolution of large dilation, as in an atrous spatial pyramid, as one product of matrices for each tap.

A product goes over the part of the map that its tap sees; the products are summed in fp32. 2048 channels to 256 over
65 x 65, bf16, on two cores, forward: rates 6, 12, 24 and 36 take 96, 49, 60 and 47 ms in place of 216, 414, 502 and
755. 512 to 256 over 23 x 30, 4 images, forward and backward: rates 6, 12 and 18 take 54, 39 and 27 ms in place of 40,
53 and 47.
"""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from resvision.layers.on_cpu.autocast import as_autocast


class Tap(NamedTuple):
    """One position of a kernel, with the parts of the maps that it connects.

    row, column      in the kernel
    inputs, outputs  rows and columns of the input that the tap reads, and of the result to which it adds
    """

    row: int
    column: int
    inputs: tuple[slice, slice]
    outputs: tuple[slice, slice]


def conv_by_taps(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: tuple[int, ...]) -> Tensor:
    """A convolution of stride 1 that keeps the size of its input, (N, O, H, W), as a sum of 1x1 products.

    x       (N, C, H, W)
    weight  (O, C, kh, kw), kh and kw odd
    """
    y: Tensor = _ConvByTaps.apply(as_autocast(x), as_autocast(weight), dilation)
    return y if bias is None else y + as_autocast(bias)[:, None, None]


class _ConvByTaps(torch.autograd.Function):
    """The sum of products, with gradients by taps.

    Autograd would fill the gradient of each slice up to the whole map before it adds them.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, dilation: tuple[int, ...]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.dilation = dilation
        return _sum_over_taps(x, weight, dilation)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, _ = ctx.needs_input_grad
        # The input's gradient is the convolution of the output's with the kernel turned by 180 degrees.
        grad_x = _sum_over_taps(grad, weight.transpose(0, 1).flip(2, 3), ctx.dilation) if needs_x else None
        if not needs_weight:
            return grad_x, None, None
        # The taps' gradients start at zero: those that meet only padding are not visited, and have none.
        grad_taps = weight.new_zeros(*weight.shape[2:], *weight.shape[:2])  # (kh, kw, O, C)
        x, grad = x.permute(0, 2, 3, 1), grad.permute(0, 2, 3, 1)
        for tap in _taps(x.shape[1:3], weight.shape[2:], ctx.dilation):
            values = x[:, *tap.inputs].flatten(0, 2)
            grad_taps[tap.row, tap.column] = grad[:, *tap.outputs].flatten(0, 2).T @ values
        return grad_x, grad_taps.permute(2, 3, 0, 1), None


def _sum_over_taps(x: Tensor, weight: Tensor, dilation: tuple[int, ...]) -> Tensor:
    """The convolution of x (N, C, H, W) by weight (O, C, kh, kw): (N, O, H, W) in the type of x."""
    # The centre sees the whole map, so its product is where the sum starts.
    rows, columns = weight.shape[2] // 2, weight.shape[3] // 2
    y = F.conv2d(x, weight[:, :, rows : rows + 1, columns : columns + 1])
    y = y.to(torch.promote_types(y.dtype, torch.float32))  # in bf16 every addition would round
    for tap in _taps(x.shape[2:], weight.shape[2:], dilation):
        if (tap.row, tap.column) != (rows, columns):
            y[:, :, *tap.outputs] += F.conv2d(x[:, :, *tap.inputs], weight[:, :, tap.row, tap.column, None, None])
    return y.to(x.dtype)


def _taps(size: tuple[int, ...], kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Iterator[Tap]:
    """Every tap of a kernel (kh, kw) that meets a map of `size` (H, W); the others see only padding."""
    height, width = size
    for row, column in itertools.product(range(kernel[0]), range(kernel[1])):
        down, right = (row - kernel[0] // 2) * dilation[0], (column - kernel[1] // 2) * dilation[1]
        if abs(down) < height and abs(right) < width:
            inputs = _overlap(down, height), _overlap(right, width)
            outputs = _overlap(-down, height), _overlap(-right, width)
            yield Tap(row, column, inputs, outputs)


def _overlap(shift: int, length: int) -> slice:
    """The positions of a line of `length` that are still on it when moved back by `shift`."""
    return slice(max(0, shift), length + min(0, shift))
