"""Widths in proportion to the paper's net, and the smallest image that a net takes."""

from torch import Tensor

from resvision.core.errors import SettingsError


def scaled(channels: int, *, width: int, full: int) -> int:
    """The paper's `channels` for a net whose first map has `width` channels, and not `full` as in the paper."""
    return max(1, round(channels * width / full))


def require_side(images: Tensor, *, least: int, net: str) -> None:
    """Raise SettingsError for images (N, C, H, W) with a side below `least` pixels."""
    height, width = images.shape[-2:]
    if min(height, width) < least:
        raise SettingsError(
            f"images are {height}x{width}: {net} takes sides from {least} pixels on; choose a larger data.image_size"
        )
