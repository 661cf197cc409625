"""The head of MTP and CoverNet: features of the image and the state of the agent through one hidden layer.

After Cui et al. 2019, https://arxiv.org/abs/1809.10732, and the devkit of nuScenes.

Glossary
    N         windows
    features  (N, F) float32, of the image
    state     (N, 3) float32: m/s, m/s^2, rad/s, each 0 where it is not known, in MotionInputs
"""

from typing import Literal, get_args

import torch
from torch import Tensor

from resvision.core.errors import SettingsError
from resvision.motion.forecaster import STATE, MotionInputs

Relu = Literal["hidden", "last", "none"]
"""The place of the head's ReLU: behind the hidden layer; behind the last layer as well, as the devkit of nuScenes has
it in CoverNet; or nowhere, as that devkit has it in MTP, so that the two layers are one linear map."""

HIDDEN = 4096
"""Features of the hidden layer in the paper and in the devkit."""


def require_relu(relu: str) -> None:
    """Raise SettingsError for another place of the ReLU."""
    if relu not in get_args(Relu):
        raise SettingsError(f"relu {relu!r}: choices are {', '.join(get_args(Relu))}")


def with_state(features: Tensor, inputs: MotionInputs | None) -> Tensor:
    """Features and state side by side, (N, F + 3); without inputs as for a car of which nothing is known."""
    state = features.new_zeros(features.shape[0], STATE) if inputs is None else inputs.state
    return torch.cat([features, state.to(features.dtype)], dim=1)
