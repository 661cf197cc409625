"""Convolutions that choose how they compute; parameters, state and result stay.

In bf16, on a CPU with matrix units for it: 1x1 convolutions over pixels whose channels lie together as linear layers
(all of those of stride 1 in ResNet-50 at 224 pixels, 32 images, forward and backward: 630 ms in place of 848), and the
cases of `blocks`, `subgrids`, `taps` and `windows`. From `blocks` and the gradients of `windows` ResNet-18 at 224
pixels gains an eighth in training, on two cores.

In fp32 one case that torch 2.14 does not survive: the gradient of a 1x1 convolution that strides over eight channels or
fewer, at 56 pixels and more, ends the process. It is computed over the pixels that it sees, picked out beforehand.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.layers.on_cpu.blocks import BLOCK_CHANNELS, conv_over_blocks
from resvision.layers.on_cpu.subgrids import depthwise_by_subgrids
from resvision.layers.on_cpu.taps import conv_by_taps
from resvision.layers.on_cpu.windows import Window, conv_by_windows, conv_with_product

LARGE = 2**19
"""Numbers of a weight from which gathering its gradient over threads costs more than the product itself."""

FEW_POSITIONS = 4
"""Output positions, of all images, for each input channel: up to here one product with its copies is faster."""

FEW_PIXELS = 16
"""Pixels of a result up to which one product with copies of the map is faster, where weights are large."""

SPREAD = 6
"""Dilation from which a tap at a time is faster than all at once, over large maps of many channels at least."""

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
        window = Window(self.stride, self._pads, self.dilation)
        if x.device.type != "cpu" or x.dim() != 4 or not x.numel():
            return super().forward(x)
        size = window.sides(x.shape[2:], self.kernel_size)
        if min(size) < 1:
            return super().forward(x)  # which says so
        if max(self.dilation) > 1 and self._is_depthwise:
            return depthwise_by_subgrids(x, self.weight, self.bias, self._pads, self.dilation)
        if min(self.dilation) >= SPREAD and self._keeps_size:
            return conv_by_taps(x, self.weight, self.bias, self.dilation)
        nhwc = x.is_contiguous(memory_format=torch.channels_last)
        if self._is_pointwise and nhwc and not torch.compiler.is_compiling():  # compiled, it joins a normalization
            return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)
        is_large = self.weight.numel() >= LARGE and self.groups == 1
        if is_large and math.prod(size) <= FEW_PIXELS:
            return conv_by_windows(x, self.weight, self.bias, window)
        if not torch.is_grad_enabled() or self.groups != 1:
            return super().forward(x)
        if 4 * self.in_channels <= BLOCK_CHANNELS and self.stride == (2, 2) and self.dilation == (1, 1):
            return conv_over_blocks(x, self.weight, self.bias, self._pads)
        if is_large and len(x) * math.prod(size) <= FEW_POSITIONS * self.in_channels:
            return conv_with_product(x, self.weight, self.bias, window)
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
