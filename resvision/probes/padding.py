"""Convolutions with taps that meet nothing but padding, because the map they see is too small for them.

The gradient of such a tap is zero. In bf16 on the CPU, torch (2.14 at least) leaves it unwritten where the map is
smaller than the stride, so that whatever was in memory is trained on.
"""

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

    copy = deepcopy(net).to("meta").eval()
    for name, module in copy.named_modules():
        if isinstance(module, nn.Conv2d) and max(module.stride) > 1:
            module.register_forward_pre_hook(
                lambda conv, inputs, name=name: look(name, inputs[0].shape, conv),
            )
    with torch.no_grad():
        copy(torch.empty(1, *shape, device="meta"))
    return found[0] if found else None
