"""The head of MTP and CoverNet: one hidden layer over the features of the raster and what is told beside it.

After Cui et al. 2019, https://arxiv.org/abs/1809.10732, and the devkit of nuScenes.
"""

from typing import Literal, get_args

from resvision.core.errors import SettingsError

Relu = Literal["hidden", "last", "none"]
"""The place of the head's ReLU: behind the hidden layer; behind the last layer as well, as the devkit of nuScenes has
it in CoverNet; or nowhere, as that devkit has it in MTP, so that the two layers are one linear map."""

HIDDEN = 4096
"""Features of the hidden layer in the paper and in the devkit."""


def require_relu(relu: str) -> None:
    """Raise SettingsError for another place of the ReLU."""
    if relu not in get_args(Relu):
        raise SettingsError(f"relu {relu!r}: choices are {', '.join(get_args(Relu))}")
