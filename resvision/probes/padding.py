"""Convolutions with taps that meet nothing but padding, because the map they see is too small for them.

The gradient of such a tap is zero, and it stays as it was drawn; an atrous one that was trained on small crops then
speaks for the first time when it is shown a whole image (Chen et al. 2017, https://arxiv.org/abs/1706.05587, sections
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
    found: list[str] = []

    def look(name: str, sides: torch.Size, conv: nn.Conv2d) -> None:
        for axis, side in enumerate(sides[2:]):
            assert not isinstance(conv.padding, str), "a strided convolution has its padding in numbers"
            window, stride = conv.kernel_size[axis], conv.stride[axis]
            padding, spread = conv.padding[axis], conv.dilation[axis]
            last = (side + 2 * padding - spread * (window - 1) - 1) // stride
            starts = range(-padding, last * stride - padding + 1, stride)
            if side < stride and any(
                all(not 0 <= start + spread * tap < side for start in starts) for tap in range(window)
            ):
                found.append(name)

    _watch(net, shape, look, only=lambda conv: max(conv.stride) > 1)
    return found[0] if found else None


def centre_alone(net: nn.Module, shape: tuple[int, int, int]) -> dict[str, int]:
    """The dilated convolutions of which only the centre tap meets the map of an image (C, H, W).

    Each with the side, in pixels of the image, from which another tap meets it, too. Strides are taken for powers of
    two; of a map of a single pixel the least that makes one is.
    """
    found: dict[str, int] = {}

    def look(name: str, sides: torch.Size, conv: nn.Conv2d) -> None:
        axes = [axis for axis in (0, 1) if conv.kernel_size[axis] > 1]  # those with taps beside the centre
        if all(sides[2 + axis] <= conv.dilation[axis] for axis in axes):
            found[name] = min(_stride(shape[1 + axis], sides[2 + axis]) * conv.dilation[axis] + 1 for axis in axes)

    _watch(net, shape, look, only=_is_spread)
    return found


def _stride(pixels: int, side: int) -> int:
    """The power of two that makes a map's side of an image's; their ratio, rounded, where none does."""
    powers = (2**power for power in range(pixels.bit_length() + 1))
    return next((stride for stride in powers if -(-pixels // stride) == side), round(pixels / side))


def _is_spread(conv: nn.Conv2d) -> bool:
    return any(taps > 1 and spread > 1 for taps, spread in zip(conv.kernel_size, conv.dilation, strict=True))


def _watch(
    net: nn.Module,
    shape: tuple[int, ...],
    look: Callable[[str, torch.Size, nn.Conv2d], None],
    *,
    only: Callable[[nn.Conv2d], bool],
) -> None:
    """Show `look` the name of every convolution that `only` takes, and the shape of what it is given."""
    if not any(isinstance(module, nn.Conv2d) and only(module) for module in net.modules()):
        return  # copying and running a deep net takes seconds
    copy = deepcopy(net).to("meta").eval()
    for name, module in copy.named_modules():
        if isinstance(module, nn.Conv2d) and only(module):
            module.register_forward_pre_hook(lambda conv, inputs, name=name: look(name, inputs[0].shape, conv))
    with torch.no_grad():
        copy(torch.empty(1, *shape, device="meta"))
