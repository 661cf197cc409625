"""Darknet's reorg: a map of half the sides and four times the channels, in the order of YOLOv2's passthrough.

Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242, section 2, speak of stacking adjacent features into channels,
which `torch.nn.PixelUnshuffle` would do. The released code does something else, and trained weights expect it: it takes
the numbers of an image, C x H x W of them, for a map of C / 4 channels and twice the sides, puts neighbours of that
map into channels, offset by offset, and takes the result, again C x H x W numbers, for 4 C channels of half the sides.
"""

from torch import Tensor, nn


def reorganized(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, 4 C, H / 2, W / 2) in Darknet's order; C is a multiple of 4, H and W are even."""
    count, channels, height, width = x.shape
    enlarged = x.reshape(count, channels // 4, height, 2, width, 2)
    by_offset = enlarged.permute(0, 3, 5, 1, 2, 4)  # row and column within two, then channel, row, column
    return by_offset.reshape(count, 4 * channels, height // 2, width // 2)


class Reorg(nn.Module):
    """The layer of `reorganized`."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 4 C, H / 2, W / 2)."""
        return reorganized(x)
