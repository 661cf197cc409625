"""Widths in proportion to the paper's net, and the smallest image that a net takes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.fx import Proxy

from resvision.core.errors import SettingsError

# Named here, since TorchScript reads the comments of a function, and takes one for mypy for a signature.
_is_scripting: Callable[[], bool] = torch.jit.is_scripting  # type: ignore[attr-defined]
_is_tracing: Callable[[], bool] = torch.jit.is_tracing  # type: ignore[attr-defined]


def scaled(channels: int, *, width: int, full: int) -> int:
    """The paper's `channels` for a net whose first map has `width` channels, and not `full` as in the paper."""
    return max(1, round(channels * width / full))


def sides_are_known(images: Any) -> bool:
    """Whether the sides of images are numbers, which a net may refuse; where a net is traced they are symbols."""
    if not _is_scripting():
        return not isinstance(images, Proxy) and not _is_tracing()
    else:  # a script compiles the one branch alone that it takes
        return True


def require_side(images: Tensor, *, least: int, net: str) -> None:
    """Raise SettingsError for images (N, C, H, W) with a side below `least` pixels."""
    height, width = images.shape[-2], images.shape[-1]
    if sides_are_known(images) and min(height, width) < least:
        raise SettingsError(
            f"images are {height}x{width}: {net} takes sides from {least} pixels on; choose a larger data.image_size,"
            " or --input of `inspect`"
        )
