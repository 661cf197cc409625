"""Inputs beside the raster: the state of the vehicle, or all of its past.

Glossary
    N         windows
    F         seen frames
    features  (N, C) float32, of the raster
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from resvision.core.errors import SettingsError
from resvision.motion.forecaster import STATE, MotionInputs

Told = Literal["state", "past", "nothing"]
"""state: speed, acceleration and yaw rate, as in MTP and CoverNet; past: places and headings in all seen frames too;
nothing: zeros in the place of the state, so that nets with and without it have the same weights."""

POSE = 4
"""Numbers of a past frame: x, y, cosine and sine of the heading."""


def past_width(frames: int) -> int:
    """The numbers that `past_vector` gives for so many seen frames, 5 F + 6."""
    return (POSE + 1) * frames + 2 * STATE


def past_vector(inputs: MotionInputs) -> Tensor:
    """Past and state of each window with what is known of them, (N, 5 F + 6)."""
    past = torch.cat([inputs.past.flatten(1), inputs.present], dim=1)
    return torch.cat([past, inputs.state, inputs.known], dim=1)


class SideInputs(nn.Module):
    """Features of the raster with what is told beside it; the past is normalized, since metres are no features.

    width  how many numbers are told
    """

    def __init__(self, told: Told, *, frames: int) -> None:
        super().__init__()
        if told not in get_args(Told):
            raise SettingsError(f"told {told!r}: choices are {', '.join(get_args(Told))}")
        self.told = told
        self.width = past_width(frames) if told == "past" else STATE
        self.norm = nn.BatchNorm1d(self.width) if told == "past" else None

    def forward(self, features: Tensor, inputs: MotionInputs | None) -> Tensor:
        """Both side by side, (N, C + width); without inputs as for a vehicle of which nothing is known."""
        if inputs is None or self.told == "nothing":
            numbers = features.new_zeros(features.shape[0], self.width)
        else:
            numbers = inputs.state if self.norm is None else past_vector(inputs)
        if self.norm is not None:
            numbers = self.norm(numbers)
        return torch.cat([features, numbers.to(features.dtype)], dim=1)
