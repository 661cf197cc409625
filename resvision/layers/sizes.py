"""Widths of nets in proportion, and the smallest image a net takes."""

from torch import Tensor

from resvision.core.errors import SettingsError


def scaled(channels: int, *, width: int, full: int) -> int:
    """`channels` of the paper's net in one whose first map has `width` channels where the paper's has `full`."""
    return max(1, round(channels * width / full))


def require_side(images: Tensor, *, least: int, net: str) -> None:
    """SettingsError for images (N, C, H, W) of which a side is below `least` pixels."""
    height, width = images.shape[-2:]
    if min(height, width) < least:
        raise SettingsError(
            f"images are {height}x{width}: {net} takes sides from {least} pixels on; choose a larger data.image_size"
        )
