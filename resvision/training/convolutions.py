"""The same convolutions, computed as a CPU with bf16 matrix units computes them faster.

Four cases, the first two of them while gradients are kept, from which ResNet-18 at 224 pixels gains an eighth on two
cores; sums are made in another order, no more:

- the gradient of large weights over small maps, such as 512 x 512 x 3 x 3 over 7 x 7: as one product of matrices (22 ms
  in place of 49 for 32 images)
- a first layer that strides over a few channels: over blocks of 2 x 2 pixels, so that a row of 16 numbers, not of 3,
  enters each product (27 ms forward and backward in place of 59)
- a kernel of large dilation, as in an atrous spatial pyramid: as a product for each of its taps, over the part of the
  map that the tap sees, summed in fp32 (2048 channels to 256 over 65 x 65 on two cores at rates 6, 12, 24 and 36: 96,
  49, 60 and 47 ms in place of 216, 414, 502 and 755)
- a 1x1 convolution over pixels whose channels lie together: as a linear layer (all of those of stride 1 in ResNet-50 at
  224 pixels, 32 images, forward and backward: 630 ms in place of 848)

And two that torch 2.14 gets wrong:

- in fp32 the gradient of a 1x1 convolution that strides over eight channels or fewer, at 56 pixels and more, ends the
  process. It is computed over the pixels that it sees, picked out beforehand.
- in bf16 the gradient of a dilated depthwise kernel holds numbers from uninitialized memory, on maps more than about 16
  pixels wide. It is computed by a kernel that is not dilated, over every d-th pixel, which is faster, too (2048
  channels over 23 x 30, 4 images, rates 2, 6, 12 and 18, forward and backward on one core: 100, 115, 153 and 320 ms in
  place of 655, 664, 400 and 1269)
"""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LARGE = 2**19
"""Numbers of a weight from which gathering its gradient over threads costs more than the product itself."""

FEW_POSITIONS = 4
"""Output positions, of all images, for each input channel: up to here one product with its copies is faster."""

SPREAD = 6
"""Dilation from which a tap at a time is faster than all at once; smaller ones torch computes well."""

BLOCK_CHANNELS = 16
"""Channels that a block of 2 x 2 pixels is filled up to."""


FRAGILE_CHANNELS = 8
"""Input channels up to which the gradient of a strided 1x1 convolution ends the process."""


def use(net: nn.Module, *, bf16: bool = True) -> nn.Module:
    """The net, whose plain convolutions from now on choose how they compute; state and structure stay."""
    for module in net.modules():
        if type(module) is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str):
            if bf16:
                module.__class__ = Conv2d
            elif module.kernel_size == (1, 1) and max(module.stride) > 1 and module.in_channels <= FRAGILE_CHANNELS:
                module.__class__ = SubsampledConv2d
    return net


class SubsampledConv2d(nn.Conv2d):
    """A strided 1x1 convolution over the pixels that it sees."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H', W')."""
        assert not isinstance(self.padding, str)
        (top, left), (down, right) = self.padding, self.stride
        seen = F.pad(x, (left, left, top, top))[:, :, ::down, ::right]
        return F.conv2d(seen, self.weight, self.bias, groups=self.groups)


class Conv2d(nn.Conv2d):
    """A convolution that chooses how it computes."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H', W')."""
        if max(self.dilation) > 1 and self._is_depthwise:
            return depthwise_by_phases(x, self.weight, self.bias, self._pads, self.dilation)
        if min(self.dilation) >= SPREAD and self._keeps_size:
            return conv_by_taps(x, self.weight, self.bias, self.dilation)
        if (
            self._is_pointwise
            and x.is_contiguous(memory_format=torch.channels_last)
            and not torch.compiler.is_compiling()
        ):
            return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)
        if not torch.is_grad_enabled() or self.groups != 1:
            return super().forward(x)
        if 4 * self.in_channels <= BLOCK_CHANNELS and self.stride == (2, 2) and self.dilation == (1, 1):
            return conv_over_blocks(x, self.weight, self.bias, self._pads)
        heights, widths = zip(x.shape[2:], self.stride, strict=True)
        positions = x.shape[0] * -(-heights[0] // heights[1]) * -(-widths[0] // widths[1])
        if self.weight.numel() >= LARGE and positions <= FEW_POSITIONS * self.in_channels:
            return conv(x, self.weight, self.bias, self.stride, self._pads, self.dilation)
        return super().forward(x)

    @property
    def _is_pointwise(self) -> bool:
        return self.kernel_size == self.stride == (1, 1) and self.groups == 1 and self._pads == (0, 0)

    @property
    def _is_depthwise(self) -> bool:
        return self.groups == self.in_channels == self.out_channels and self.stride == (1, 1)

    @property
    def _keeps_size(self) -> bool:
        """Whether this is a plain convolution of stride 1 whose output has the sides of its input."""
        centred = tuple(spread * (taps // 2) for spread, taps in zip(self.dilation, self.kernel_size, strict=True))
        odd = all(taps % 2 for taps in self.kernel_size)
        return odd and self.groups == 1 and self.stride == (1, 1) and self._pads == centred

    @property
    def _pads(self) -> tuple[int, ...]:
        assert not isinstance(self.padding, str)
        return self.padding


def conv_over_blocks(x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, ...]) -> Tensor:
    """A convolution of stride 2 as one of stride 1 over blocks of 2 x 2 pixels.

    x       (N, C, H, W) with 4 C at most BLOCK_CHANNELS
    weight  (O, C, kh, kw)
    """
    channels, kernel = x.shape[1], weight.shape[2:]
    ends = []  # a last row or column is added where the kernel is odd, and left out where no window reaches it
    for size, taps, pad in zip(x.shape[2:], kernel, padding, strict=True):
        windows = (size + 2 * pad - taps) // 2 + 1
        ends.append(2 * windows - 2 + taps + taps % 2 - size - pad)
    x = F.pad(_cast(x), (padding[1], ends[1], padding[0], ends[0]))
    blocks = F.pad(F.pixel_unshuffle(x, 2).permute(0, 2, 3, 1), (0, BLOCK_CHANNELS - 4 * channels)).permute(0, 3, 1, 2)
    weight = F.pad(_cast(weight), (0, kernel[1] % 2, 0, kernel[0] % 2))
    weight = F.pixel_unshuffle(weight, 2)
    weight = F.pad(weight, (0, 0, 0, 0, 0, BLOCK_CHANNELS - 4 * channels))
    return F.conv2d(blocks, weight.contiguous(memory_format=torch.channels_last), bias)


def depthwise_by_phases(
    x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, ...], dilation: tuple[int, ...]
) -> Tensor:
    """A depthwise convolution of stride 1 by a kernel that is not dilated.

    Pixels that lie `dilation` apart are neighbours in a map of their own; those maps lie side by side in one, with a
    gap of zeros between, and are convolved with half a window of padding. More padding comes before it, less after it.

    x       (N, C, H, W)
    weight  (C, 1, kh, kw)
    """
    even = [1 - taps % 2 for taps in weight.shape[2:]]
    weight = F.pad(_cast(weight), (0, even[1], 0, even[0]))
    halves = [taps // 2 for taps in weight.shape[2:]]
    ends: list[int] = []  # to be added or, if negative, cut off: left, right, top, bottom
    for pad, spread, half, added in reversed([*zip(padding, dilation, halves, even, strict=True)]):
        ends += [pad - spread * half, pad + spread * (added - half)]
    x = F.pad(_cast(x), [max(0, end) for end in ends])
    (number, channels, height, width), (down, right) = x.shape, dilation
    high, wide = -(-height // down), -(-width // right)
    x = F.pad(x, (0, right * wide - width, 0, down * high - height)).permute(0, 2, 3, 1)
    phases = x.reshape(number, high, down, wide, right, channels).permute(0, 2, 1, 4, 3, 5)
    phases = F.pad(phases, (0, 0, 0, halves[1], 0, 0, 0, halves[0]))
    beside = phases.reshape(number, down * phases.shape[2], right * phases.shape[4], channels).permute(0, 3, 1, 2)
    y = F.conv2d(beside, weight, bias if bias is None else _cast(bias), padding=tuple(halves), groups=channels)
    y = y.permute(0, 2, 3, 1).reshape(phases.shape)[:, :, :high, :, :wide].permute(0, 2, 1, 4, 3, 5)
    y = y.reshape(number, down * high, right * wide, channels)[:, :height, :width].permute(0, 3, 1, 2)
    return F.pad(y, [min(0, end) for end in ends])


def conv_by_taps(x: Tensor, weight: Tensor, bias: Tensor | None, dilation: tuple[int, ...]) -> Tensor:
    """A convolution of stride 1 that keeps the sides of its input, as a sum of 1x1 products.

    x       (N, C, H, W)
    weight  (O, C, kh, kw), kh and kw odd
    """
    y: Tensor = _ByTaps.apply(_cast(x), _cast(weight), dilation)
    return y if bias is None else y + _cast(bias)[:, None, None]


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
    y = F.conv2d(x, weight[:, :, rows : rows + 1, columns : columns + 1]).float()
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


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Tensor:
    """F.conv2d without groups, whose weight has its gradient from one product."""
    y: Tensor = _Conv.apply(_cast(x), _cast(weight), bias if bias is None else _cast(bias), stride, padding, dilation)
    return y


def _cast(tensor: Tensor) -> Tensor:
    """The tensor as autocast would have a convolution take it."""
    if not torch.is_autocast_enabled(tensor.device.type):
        return tensor
    return tensor.to(torch.get_autocast_dtype(tensor.device.type))


class _Conv(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.window = stride, padding, dilation
        return F.conv2d(x, weight, bias, stride, padding, dilation)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.window
        of_x, of_weight, of_bias = ctx.needs_input_grad[:3]
        grad_x, _, grad_bias = torch.ops.aten.convolution_backward(
            grad, x, weight, [len(weight)], stride, padding, dilation, False, [0, 0], 1, [of_x, False, of_bias]
        )
        grad_weight = None
        if of_weight:
            grad_weight = weight_gradient(x, grad, weight.shape[2:], stride, padding, dilation)
        return grad_x, grad_weight, grad_bias, None, None, None


def weight_gradient(
    x: Tensor,
    grad: Tensor,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Tensor:
    """The weight's gradient (O, C, kh, kw) from the input (N, C, H, W) and the output's gradient (N, O, H', W')."""
    (outputs, height, width), channels = grad.shape[1:], x.shape[1]
    padded = F.pad(x, (padding[1], padding[1], padding[0], padding[0])).permute(0, 2, 3, 1)

    def seen(size: int, tap: int, axis: int) -> slice:
        """What one tap of the kernel sees along an axis."""
        start = tap * dilation[axis]
        return slice(start, start + (size - 1) * stride[axis] + 1, stride[axis])

    places = itertools.product(range(kernel[0]), range(kernel[1]))
    taps = [padded[:, seen(height, row, 0), seen(width, column, 1)] for row, column in places]
    windows = torch.cat(taps, dim=3).flatten(0, 2)  # (positions, kh kw C)
    by_position = grad.permute(0, 2, 3, 1).reshape(-1, outputs)
    return (by_position.T @ windows).view(outputs, *kernel, channels).permute(0, 3, 1, 2)
