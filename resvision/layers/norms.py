"""The choice of a block's normalization.

batch  batch normalization (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167)
none   no normalization; the convolution before it then has a bias
"""

from typing import Literal, get_args

from torch import nn

from resvision.core.errors import SettingsError

NormOption = Literal["batch", "none"]


def make_norm(option: str, channels: int) -> nn.Module:
    """The normalization of a map of so many channels, an identity for `none`; SettingsError for an unknown option."""
    if option not in get_args(NormOption):
        raise SettingsError(f"norm {option!r}: choices are {', '.join(get_args(NormOption))}")
    return nn.BatchNorm2d(channels) if option == "batch" else nn.Identity()
