"""Inputs, targets and predictions that all systems of motion prediction share.

Everything a net sees and says is in the agent's frame at the last observed frame: metres, x forward, y left; angles in
radians, counter-clockwise.

Glossary
    N  windows in a batch
    C  channels of a raster
    H  frames of history, so that H + 1 are seen
    M  modes, the trajectories that a net gives for a window
    T  predicted steps
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from resvision.contracts import Batch, Losses, PixelSystem, Term
from resvision.core.errors import SettingsError
from resvision.core.samples import Reader
from resvision.kinds.motion.windows import Window

Reference = Literal["agent", "constant-velocity"]
"""The point from which a net says a position: where the agent stands, or where it would be at constant velocity."""

STATE = 3
"""Numbers of a state: speed, acceleration, yaw rate."""


class MotionInputs(NamedTuple):
    """The inputs of a net; one that does not look at some of them leaves it.

    images   (N, C, side, side) uint8, the rasters
    state    (N, 3) float32, speed in m/s, acceleration in m/s^2, yaw rate in rad/s; 0 where it is not known
    known    (N, 3) float32, 1 where each of them is known
    past     (N, H + 1, 4) float32, x, y, cosine and sine of the heading, oldest first; 0 where it is not known
    present  (N, H + 1) float32, 1 where the vehicle was seen
    steady   (N, T, 2) float32, the positions if the velocity stayed what it was
    """

    images: Tensor
    state: Tensor
    known: Tensor
    past: Tensor
    present: Tensor
    steady: Tensor


class MotionTargets(NamedTuple):
    """The true futures.

    positions  (N, T, 2) float32, 0 where it is not known
    present    (N, T) float32, 1 where it is known
    draws      (N,) float32 in [0, 1), counted, by which a loss chooses where it has to choose at random
    """

    positions: Tensor
    present: Tensor
    draws: Tensor


class Trajectories(NamedTuple):
    """The predictions of a system, whichever it is: modes in the order of the net, with probabilities that sum to 1.

    positions      (N, M, T, 2) float32
    probabilities  (N, M) float32
    """

    positions: Tensor
    probabilities: Tensor


class Forecast(NamedTuple):
    """The predictions of a system with the logits of their modes, for its losses.

    positions  (N, M, T, 2) float32, in the agent's frame
    logits     (N, M) float32
    """

    positions: Tensor
    logits: Tensor


class ForecastNet(nn.Module):
    """A net that gives trajectories. Abstract.

    Its `forward(images, inputs=None)` takes normalized images (N, C, side, side) and the MotionInputs that they belong
    to; without these nothing but the image is known of a window.

    steps         number of positions in a trajectory, T
    modes         number of trajectories, M
    reference     agent: a position is said from where the agent stands, as in the papers; constant-velocity: from where
                  it would be at constant velocity, so that the net says how it departs from that
    sees_rasters  whether it looks at images
    """

    sees_rasters: ClassVar[bool] = True

    def __init__(self, *, steps: int, modes: int, reference: Reference) -> None:
        super().__init__()
        if reference not in get_args(Reference):
            raise SettingsError(f"reference {reference!r}: choices are {', '.join(get_args(Reference))}")
        self.steps, self.modes, self.reference = steps, modes, reference


class Forecaster(PixelSystem):
    """A net with its losses, and the way from what it gives to trajectories. Abstract."""

    net: ForecastNet

    def __init__(self, net: ForecastNet, *, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(net, mean=mean, std=std)

    @abstractmethod
    def relative(self, inputs: MotionInputs) -> Forecast:
        """Compute the trajectories from the net's reference, and the logits of the modes, in float32."""

    @abstractmethod
    def losses_of(self, forecast: Forecast, batch: Batch) -> dict[str, Term]:
        """Compute the terms of the loss from the trajectories in the agent's frame."""

    def forecast(self, inputs: MotionInputs) -> Forecast:
        """Compute the trajectories in the agent's frame, and the logits of the modes, in float32."""
        positions, logits = self.relative(inputs)
        return Forecast(positions + self.from_agent(inputs)[:, None], logits)

    def from_agent(self, inputs: MotionInputs) -> Tensor:
        """The points from which the net says its positions, in the agent's frame, (N, T, 2)."""
        if self.net.reference == "agent":
            return torch.zeros_like(inputs.steady)
        return inputs.steady

    def losses(self, batch: Batch) -> Losses:
        """Compute the loss, and the displacements in metres of the most probable mode from what came true.

        Metrics are `ade`, the mean over all known steps of a window, and `fde`, that of its last known one.
        """
        forecast = self.forecast(batch.inputs)
        terms = self.losses_of(forecast, batch)
        return Losses(terms, displacements(forecast, batch.targets))

    def predict(self, inputs: MotionInputs) -> Trajectories:
        """Predict trajectories with probabilities."""
        positions, logits = self.forecast(inputs)
        return Trajectories(positions, logits.softmax(dim=1))

    def measure(self, reader: Reader[Window]) -> None:
        """Set the buffers of a new net that are measured on its training data, before the first step."""

    def advice(self, reader: Reader[Window]) -> dict[str, str]:
        """Advice to a person before the training: lines by their heading; the system may be on the meta device."""
        return {}


def windows_known(targets: MotionTargets) -> Tensor:
    """The number of windows of which any future is known, a scalar; the others weigh nothing."""
    return targets.present.any(dim=1).to(targets.positions.dtype).sum()


def last_known(targets: MotionTargets) -> Tensor:
    """The last step that is known of each window, (N,) int64; the last of all where none is."""
    steps = torch.arange(targets.present.shape[1], device=targets.present.device)
    last = (targets.present > 0) * (steps + 1)
    return (last.amax(dim=1) - 1) % len(steps)


def at_step(trajectories: Tensor, step: Tensor) -> Tensor:
    """The positions of trajectories (N, ..., T, 2) at a step of each window (N,): (N, ..., 2)."""
    places = step.view(-1, *[1] * (trajectories.dim() - 1)).expand(*trajectories.shape[:-2], 1, 2)
    return trajectories.gather(-2, places).squeeze(-2)


def mean_distances(trajectories: Tensor, targets: MotionTargets) -> Tensor:
    """The mean distance over the known steps of each trajectory (N, M, T, 2) from what came true, (N, M).

    0 for a window of which nothing is known.
    """
    apart = torch.linalg.vector_norm(trajectories - targets.positions[:, None], dim=-1)
    known = targets.present[:, None]
    means: Tensor = (apart * known).sum(dim=-1) / known.sum(dim=-1).clamp(min=1)
    return means


def displacements(forecast: Forecast, targets: MotionTargets) -> dict[str, Term]:
    """Displacements of the most probable mode, `ade` and `fde`, in metres, with the number of known windows."""
    positions, logits = (member.detach() for member in forecast)
    best = positions[torch.arange(len(logits), device=logits.device), logits.argmax(dim=1)]
    is_known = targets.present.any(dim=1)
    step = last_known(targets)
    final = torch.linalg.vector_norm(at_step(best, step) - at_step(targets.positions, step), dim=-1)
    known = windows_known(targets)
    mean = mean_distances(best[:, None], targets)[:, 0]
    return {"ade": Term((mean * is_known).sum(), known), "fde": Term((final * is_known).sum(), known)}
