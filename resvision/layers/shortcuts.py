"""The shortcut options of He et al. 2015, https://arxiv.org/abs/1512.03385, section 4.1.

    none  no shortcut: a plain net
    A     identity; where the shape changes, every s-th pixel and zeros for the new channels: no parameters
    B     identity; where the shape changes, a strided 1x1 projection
    C     a projection everywhere

The paper does not say where the zero channels of option A go; here they come last.
"""

from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from resvision.core.errors import SettingsError

ShortcutOption = Literal["none", "A", "B", "C"]


class PaddedShortcut(nn.Module):
    """Option A where the shape changes: x[:, :, ::stride, ::stride], with zeros for the new channels."""

    def __init__(self, in_channels: int, *, out_channels: int, stride: int) -> None:
        super().__init__()
        self.extra_channels = out_channels - in_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra_channels))

    def extra_repr(self) -> str:
        """The text that `print` adds to the class name."""
        return f"extra_channels={self.extra_channels}, stride={self.stride}"


def make_shortcut(
    option: str, in_channels: int, *, out_channels: int, stride: int = 1, normalize: bool = True
) -> nn.Module | None:
    """The shortcut of one block, or None in a plain net; a projection ends in a BN if `normalize`.

    Raises SettingsError for an unknown option.
    """
    if option not in get_args(ShortcutOption):
        raise SettingsError(f"shortcut {option!r}: choices are {', '.join(get_args(ShortcutOption))}")
    if option == "none":
        return None
    changes = stride != 1 or in_channels != out_channels
    if option == "C" or (option == "B" and changes):
        projection = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
        return nn.Sequential(projection, nn.BatchNorm2d(out_channels)) if normalize else projection
    return PaddedShortcut(in_channels, out_channels=out_channels, stride=stride) if changes else nn.Identity()
