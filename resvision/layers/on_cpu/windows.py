"""Convolutions with large weights over small maps as products of matrices: windows times weight.

The gradient of 512 x 512 x 3 x 3 over 7 x 7 takes 22 ms in place of 49 for 32 images (bf16, two cores). Over maps of a
few pixels, as where images of 32 to 64 px meet a net for 224, everything does: 512 channels over 2 x 2, 256 images,
forward and the whole backward, takes 122 ms in place of 1,894 on one core, beside other work.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from resvision.layers.on_cpu.cast import as_autocast


class Window(NamedTuple):
    """How a kernel moves over a map, by rows and columns each."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def sides(self, sides: Sequence[int], kernel: Sequence[int]) -> list[int]:
        """Height and width of the result over a map of such `sides`."""
        along = zip(sides, kernel, *self, strict=True)
        return [(side + 2 * pad - spread * (taps - 1) - 1) // step + 1 for side, taps, step, pad, spread in along]

    def seen(self, count: int, tap: int, axis: int) -> slice:
        """What one tap of a row of `count` windows sees along an axis of the padded map."""
        start = tap * self.dilation[axis]
        return slice(start, start + (count - 1) * self.stride[axis] + 1, self.stride[axis])


def conv_with_product(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """F.conv2d without groups, whose weight has its gradient from one product."""
    y: Tensor = _WeightByProduct.apply(
        as_autocast(x), as_autocast(weight), bias if bias is None else as_autocast(bias), window
    )
    return y


class _WeightByProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.window = window
        return F.conv2d(x, weight, bias, *window)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        grad_x, _, grad_bias = torch.ops.aten.convolution_backward(
            grad, x, weight, [len(weight)], *ctx.window, False, [0, 0], 1, [of_x, False, of_bias]
        )
        return grad_x, weight_gradient(x, grad, weight.shape[2:], ctx.window) if of_weight else None, grad_bias, None


def conv_by_windows(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window) -> Tensor:
    """F.conv2d without groups as a product of all windows and the weight, and so its gradients."""
    y: Tensor = _ByWindows.apply(as_autocast(x), as_autocast(weight), window)
    return y if bias is None else y + as_autocast(bias)[:, None, None]


class _ByWindows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, window: Window) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.window = window
        size = window.sides(x.shape[2:], weight.shape[2:])
        y = windows(x, size, weight.shape[2:], window) @ _as_matrix(weight).T
        return y.view(len(x), *size, len(weight)).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x, of_weight, _ = ctx.needs_input_grad
        return (
            input_gradient(grad, x.shape[2:], weight, ctx.window) if of_x else None,
            weight_gradient(x, grad, weight.shape[2:], ctx.window) if of_weight else None,
            None,
        )


def input_gradient(grad: Tensor, sides: Sequence[int], weight: Tensor, window: Window) -> Tensor:
    """The input's gradient (N, C, H, W): what every window says of the pixels that it saw, summed in fp32.

    grad   (N, O, H', W')
    sides  (H, W)
    """
    (number, outputs, *size), (top, left) = grad.shape, window.padding
    said = grad.permute(0, 2, 3, 1).reshape(-1, outputs) @ _as_matrix(weight)
    said = said.view(number, *size, *weight.shape[2:], weight.shape[1])
    exact = torch.promote_types(grad.dtype, torch.float32)
    padded = torch.zeros(number, sides[0] + 2 * top, sides[1] + 2 * left, weight.shape[1], dtype=exact)
    for row, column in itertools.product(*map(range, weight.shape[2:])):
        seen = window.seen(size[0], row, 0), window.seen(size[1], column, 1)
        padded[:, *seen] += said[:, :, :, row, column]
    return padded[:, top : top + sides[0], left : left + sides[1]].to(grad.dtype).permute(0, 3, 1, 2)


def weight_gradient(x: Tensor, grad: Tensor, kernel: Sequence[int], window: Window) -> Tensor:
    """The weight's gradient (O, C, kh, kw) from the input (N, C, H, W) and the output's gradient (N, O, H', W')."""
    by_position = grad.permute(0, 2, 3, 1).reshape(-1, grad.shape[1])
    product = by_position.T @ windows(x, grad.shape[2:], kernel, window)
    return product.view(grad.shape[1], *kernel, x.shape[1]).permute(0, 3, 1, 2)


def windows(x: Tensor, size: Sequence[int], kernel: Sequence[int], window: Window) -> Tensor:
    """What each of the N x `size` windows sees of x (N, C, H, W), as (N H' W', kh kw C)."""
    top, left = window.padding
    padded = F.pad(x, (left, left, top, top)).permute(0, 2, 3, 1)
    taps = [
        padded[:, window.seen(size[0], row, 0), window.seen(size[1], column, 1)]
        for row, column in itertools.product(*map(range, kernel))
    ]
    return torch.cat(taps, dim=3).flatten(0, 2)


def _as_matrix(weight: Tensor) -> Tensor:
    """(O, C, kh, kw) as (O, kh kw C)."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)
