"""Convolutions with taps that meet nothing but padding, because the map is too small for them.

The gradient of such a tap is zero, and it stays as it was drawn. An atrous convolution that was trained on small crops
uses those taps for the first time on a whole image (Chen et al. 2017, https://arxiv.org/abs/1706.05587, sections
3.3 and 4.1: crops must be large). In bf16 on the CPU, torch (2.14 at least) leaves such gradients unwritten where a map
is smaller than the stride, so that whatever was in memory is trained on.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import nn


def taps_in_padding(net: nn.Module, shape: tuple[int, int, int]) -> str | None:
    """The name of the first convolution with a map smaller than its stride and a tap that meets only padding.

    For images of `shape` (C, H, W); None where there is none.
    """
    names: list[str] = []

    def inspect(name: str, conv: nn.Conv2d, size: torch.Size) -> None:
        for axis, length in enumerate(size):
            assert not isinstance(conv.padding, str), "a strided convolution has its padding in numbers"
            window, stride = conv.kernel_size[axis], conv.stride[axis]
            padding, rate = conv.padding[axis], conv.dilation[axis]
            last = (length + 2 * padding - rate * (window - 1) - 1) // stride
            starts = range(-padding, last * stride - padding + 1, stride)
            if length < stride and any(
                all(not 0 <= start + rate * tap < length for start in starts) for tap in range(window)
            ):
                names.append(name)

    _inspect_convolutions(net, shape, inspect, only=lambda conv: max(conv.stride) > 1)
    return names[0] if names else None


def centre_alone(net: nn.Module, shape: tuple[int, int, int]) -> dict[str, int]:
    """The dilated convolutions, by name, of which only the centre tap meets the map of an image (C, H, W).

    The value is the side, in pixels of the image, from which a second tap meets the map. Strides are taken to be powers
    of two; for a map of a single pixel, the least that gives one.
    """
    sides_px: dict[str, int] = {}

    def inspect(name: str, conv: nn.Conv2d, size: torch.Size) -> None:
        axes = [axis for axis in (0, 1) if conv.kernel_size[axis] > 1]  # those with taps beside the centre
        if all(size[axis] <= conv.dilation[axis] for axis in axes):
            sides_px[name] = min(_stride(shape[1 + axis], size[axis]) * conv.dilation[axis] + 1 for axis in axes)

    _inspect_convolutions(net, shape, inspect, only=_is_dilated)
    return sides_px


def _stride(pixels: int, positions: int) -> int:
    """The power of two that takes an image's side to a map's; their ratio, rounded, where no power does."""
    powers = (2**power for power in range(pixels.bit_length() + 1))
    return next((stride for stride in powers if -(-pixels // stride) == positions), round(pixels / positions))


def _is_dilated(conv: nn.Conv2d) -> bool:
    return any(taps > 1 and rate > 1 for taps, rate in zip(conv.kernel_size, conv.dilation, strict=True))


def _inspect_convolutions(
    net: nn.Module,
    shape: tuple[int, ...],
    inspect: Callable[[str, nn.Conv2d, torch.Size], None],
    *,
    only: Callable[[nn.Conv2d], bool],
) -> None:
    """Call `inspect` with every convolution for which `only` holds: its name, itself, height and width of its input."""
    if not any(isinstance(module, nn.Conv2d) and only(module) for module in net.modules()):
        return  # copying and running a deep net takes seconds
    copy = deepcopy(net).to("meta").eval()
    for name, module in copy.named_modules():
        if isinstance(module, nn.Conv2d) and only(module):
            module.register_forward_pre_hook(lambda conv, inputs, name=name: inspect(name, conv, inputs[0].shape[2:]))
    with torch.no_grad():
        copy(torch.empty(1, *shape, device="meta"))
