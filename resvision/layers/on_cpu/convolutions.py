"""Convolutions that choose how they compute; parameters, state and result stay.

In bf16, on a CPU with matrix units for it (AMX), a 1x1 convolution is a linear layer where the channels of a pixel lie
together (all of those of stride 1 in ResNet-50 at 224 pixels, 32 images, forward and backward: 630 ms in place of 848),
and the modules `space_to_depth`, `polyphase`, `taps` and `im2col` compute their cases. By `space_to_depth` and the
gradients of `im2col` ResNet-18 at 224 pixels gains an eighth in training, on two cores.

Without matrix units these ways gain nothing or lose: with AVX512-bf16 alone the blocks of `space_to_depth` take 645 ms
in place of 427 for a first layer of 7x7 over 32 images, forward and backward on one core, and `taps` 307 in place of
288 for 2048 channels to 256 over 65 x 65 at rate 12. So nets then keep torch's own convolutions, but for the dilated
depthwise ones, whose gradients torch gets wrong.

One case torch 2.14 does not survive, in either precision: the gradient of a 1x1 convolution of fewer than 16 channels
that strides, from some 50 pixels on, writes beyond its memory. In fp32 that happens on every CPU with AVX2, in bf16 on
those without matrix units, and everywhere where the kernel is dilated, which means nothing for one tap. Here the pixels
that such a kernel meets are picked out beforehand, and it runs at stride 1.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.layers.on_cpu.deconvolution import BlockwiseDeconvolution, takes_blocks
from resvision.layers.on_cpu.im2col import ConvArithmetic, conv_by_im2col, conv_with_im2col_gradient
from resvision.layers.on_cpu.polyphase import depthwise_by_polyphase
from resvision.layers.on_cpu.space_to_depth import BLOCK_CHANNELS, conv_by_space_to_depth
from resvision.layers.on_cpu.taps import conv_by_taps

LARGE = 2**19
"""Numbers in a weight from which gathering its gradient over threads costs more than the product itself."""

FEW_POSITIONS = 4
"""Output positions, of all images, per input channel, up to which one product with its copies is faster."""

FEW_PIXELS = 16
"""Pixels of a result up to which one product with copies of the map is faster, where weights are large."""

LARGE_DILATION = 6
"""Dilation from which a tap at a time is faster than all at once, over large maps of many channels at least."""

FRAGILE_CHANNELS = 15
"""Input channels up to which the gradient of a strided 1x1 convolution writes beyond its memory."""


def use(net: nn.Module, *, bf16: bool = True, matrix_units: bool = True) -> nn.Module:
    """The net, whose plain convolutions from now on choose how they compute; state and structure stay.

    bf16          whether the net runs in bf16; otherwise only the convolutions change that would end the process
    matrix_units  whether the CPU has them for bf16; otherwise only those change in bf16 that torch gets wrong
    """
    for module in net.modules():
        if bf16 and type(module) is nn.ConvTranspose2d and takes_blocks(module):
            module.__class__ = BlockwiseDeconvolution
        if type(module) is not nn.Conv2d:  # a subclass computes in a way of its own
            continue
        if module.kernel_size == (1, 1) and max(module.stride) > 1 and module.in_channels <= FRAGILE_CHANNELS:
            module.__class__ = SubsampledConv2d
            continue
        is_wanted = bf16 and (matrix_units or is_dilated_depthwise(module))
        if is_wanted and module.padding_mode == "zeros" and not isinstance(module.padding, str):
            module.__class__ = Conv2d
    return net


@contextmanager
def used(net: nn.Module, *, bf16: bool = True, matrix_units: bool = True) -> Iterator[None]:
    """Have the net's convolutions choose how they compute inside the block; after it they are what they were."""
    before = [(module, type(module)) for module in net.modules()]
    use(net, bf16=bf16, matrix_units=matrix_units)
    try:
        yield
    finally:
        for module, own_type in before:
            if type(module) is not own_type:
                module.__class__ = own_type


def is_dilated_depthwise(layer: nn.Conv2d) -> bool:
    """Whether a convolution of stride 1 has a kernel for each channel, with gaps."""
    is_depthwise = layer.groups == layer.in_channels == layer.out_channels and layer.stride == (1, 1)
    return is_depthwise and max(layer.dilation) > 1


class SubsampledConv2d(nn.Conv2d):
    """A strided 1x1 convolution that picks out the pixels under its kernel, and then runs at stride 1."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H', W')."""
        pads = self._reversed_padding_repeated_twice  # left, right, top, bottom; also where `padding` is a word
        if any(pads):
            x = F.pad(x, pads, mode="constant" if self.padding_mode == "zeros" else self.padding_mode)
        picked = x[..., :: self.stride[0], :: self.stride[1]]
        return F.conv2d(picked, self.weight, self.bias, groups=self.groups)


class Conv2d(nn.Conv2d):
    """A convolution that chooses how it computes, by its kernel and the size of the map."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H', W')."""
        if x.device.type != "cpu" or x.dim() != 4 or not x.numel():
            return super().forward(x)
        arithmetic = ConvArithmetic(self.stride, self._pads, self.dilation)
        size = arithmetic.output_size(x.shape[2:], self.kernel_size)
        if min(size) < 1:
            return super().forward(x)  # torch's own error says that the kernel is larger than the map
        if is_dilated_depthwise(self):
            return depthwise_by_polyphase(x, self.weight, self.bias, self._pads, self.dilation)
        if min(self.dilation) >= LARGE_DILATION and self._keeps_size:
            return conv_by_taps(x, self.weight, self.bias, self.dilation)
        # Compiled, a 1x1 convolution stays one: the compiler then joins it with the normalization that follows.
        is_nhwc = x.is_contiguous(memory_format=torch.channels_last)
        if self._is_pointwise and is_nhwc and not torch.compiler.is_compiling():
            return F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)
        is_large = self.weight.numel() >= LARGE and self.groups == 1
        if is_large and math.prod(size) <= FEW_PIXELS:
            return conv_by_im2col(x, self.weight, self.bias, arithmetic)
        # The ways below are for training, and for convolutions without groups.
        if not torch.is_grad_enabled() or self.groups != 1:
            return super().forward(x)
        if 4 * self.in_channels <= BLOCK_CHANNELS and self.stride == (2, 2) and self.dilation == (1, 1):
            return conv_by_space_to_depth(x, self.weight, self.bias, self._pads)
        if is_large and len(x) * math.prod(size) <= FEW_POSITIONS * self.in_channels:
            return conv_with_im2col_gradient(x, self.weight, self.bias, arithmetic)
        return super().forward(x)

    @property
    def _is_pointwise(self) -> bool:
        return self.kernel_size == self.stride == (1, 1) and self.groups == 1 and self._pads == (0, 0)

    @property
    def _keeps_size(self) -> bool:
        """Whether this is a convolution of stride 1, without groups, whose result has the size of its input."""
        centred = tuple(rate * (taps // 2) for rate, taps in zip(self.dilation, self.kernel_size, strict=True))
        odd = all(taps % 2 for taps in self.kernel_size)
        return odd and self.groups == 1 and self.stride == (1, 1) and self._pads == centred

    @property
    def _pads(self) -> tuple[int, ...]:
        assert not isinstance(self.padding, str)
        return self.padding
