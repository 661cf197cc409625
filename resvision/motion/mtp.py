"""MTP: several trajectories with probabilities, of which the one in the direction of the true one is trained.

Cui et al. 2019, Multimodal Trajectory Predictions for Autonomous Driving using Deep Convolutional Networks,
https://arxiv.org/abs/1809.10732; parts are named as in the devkit of nuScenes.

Differs from the devkit: x is forward and y to the left, where the devkit has y forward; steps that are not known are
left out; where several modes lie equally near, the first is trained; and where none lies within the angle, the mode is
drawn by numbers that are counted with the samples, so that neither processes nor a resumed run change it.

Glossary
    N windows, M modes, T steps
    out  (N, M (2 T + 1)): for each mode x and y of each step in turn, then the logits
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.contracts import Batch, Term, fp32_or_more
from resvision.motion.forecaster import (
    Forecast,
    Forecaster,
    ForecastNet,
    MotionInputs,
    MotionTargets,
    Reference,
    at_step,
    last_known,
    mean_distances,
    windows_known,
)
from resvision.motion.motion_regression import split_modes
from resvision.motion.parts.side_inputs import SideInputs, Told
from resvision.motion.parts.state_head import HIDDEN, Head, Relu, StateNet


class MTP(StateNet):
    """The net of two layers whose last gives trajectories and logits."""

    def __init__(
        self, backbone: nn.Module, *, steps: int, modes: int, head: Head, beside: SideInputs, reference: Reference
    ) -> None:
        super().__init__(backbone, steps=steps, modes=modes, head=head, beside=beside, reference=reference)
        self.fc1, self.fc2 = self.layers(modes * (2 * steps + 1))

    def forward(self, images: Tensor, inputs: MotionInputs | None = None) -> Tensor:
        """Trajectories and logits, as `out` in the glossary, of normalized images (N, C, side, side) and the state."""
        return self.through(self.fc1, self.fc2, images, inputs)


@dataclass(frozen=True, kw_only=True)
class MTPLoss:
    """The options of the loss of MTP; ValueError for values that cannot be.

    angle_deg          largest angle between the last points of the true trajectory and of a mode, seen from the agent,
                       by which the mode may be the one that is trained
    regression_weight  factor of the error of positions, beside that of the choice of the mode
    """

    angle_deg: float = 5.0
    regression_weight: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.angle_deg <= 180:
            raise ValueError(f"angle_deg must lie in 0..180, got {self.angle_deg}")
        if not 0 <= self.regression_weight < math.inf:
            raise ValueError(f"regression_weight must be a number of at least 0, got {self.regression_weight}")


class MTPForecaster(Forecaster):
    """The system of MTP: Huber's error of the nearest mode in the right direction, and the choice of that mode."""

    loss_options: ClassVar[type] = MTPLoss

    def __init__(
        self, net: ForecastNet, *, mean: Sequence[float], std: Sequence[float], options: MTPLoss | None = None
    ) -> None:
        super().__init__(net, mean=mean, std=std)
        self.options = options or MTPLoss()

    def relative(self, inputs: MotionInputs) -> Forecast:
        """Split what the net gives."""
        out = fp32_or_more(self.net(self.normalized(inputs.images), inputs))
        return split_modes(out, self.net.modes, self.net.steps)

    def losses_of(self, forecast: Forecast, batch: Batch) -> dict[str, Term]:
        """Compute the error of positions of the chosen mode, and the cross-entropy of choosing it, over windows."""
        targets: MotionTargets = batch.targets
        windows, is_known = windows_known(targets), targets.present.any(dim=1)
        chosen = chosen_modes(forecast.positions.detach(), targets, angle_deg=self.options.angle_deg)
        winner = forecast.positions[torch.arange(len(chosen), device=chosen.device), chosen]
        choice = F.cross_entropy(forecast.logits, chosen, reduction="none")
        return {
            "positions": Term(self.options.regression_weight * huber(winner, targets).sum(), windows),
            "choice": Term((choice * is_known).sum(), windows),
        }

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the windows of which any future is known."""
        windows = windows_known(batch.targets)
        return {"positions": windows, "choice": windows}


def chosen_modes(positions: Tensor, targets: MotionTargets, *, angle_deg: float) -> Tensor:
    """The mode of each window that is to be trained, (N,) int64, of trajectories (N, M, T, 2).

    The nearest in the mean over known steps among those whose last known point lies within the angle of the true one;
    where there is none, the one that `targets.draws` says.
    """
    step = last_known(targets)
    angles = angles_between(at_step(positions, step), at_step(targets.positions, step)[:, None])
    fits = angles <= math.radians(angle_deg)
    nearest = mean_distances(positions, targets).masked_fill(~fits, math.inf).argmin(dim=1)
    drawn = (targets.draws * positions.shape[1]).long().clamp(max=positions.shape[1] - 1)
    return torch.where(fits.any(dim=1), nearest, drawn)


def angles_between(first: Tensor, second: Tensor) -> Tensor:
    """The angles between vectors (..., 2), 0..pi radians; 0 where one of them is no longer than nothing.

    The arc tangent of cross and dot product tells small angles, which the arc cosine of the devkit does not.
    """
    cross = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    dot = (first * second).sum(dim=-1)
    return torch.atan2(cross.abs(), dot)


def huber(trajectory: Tensor, targets: MotionTargets) -> Tensor:
    """Huber's error of trajectories (N, T, 2), in the mean over both coordinates of all known steps, (N,).

    It bends at 1 metre, and is 0 for a window of which nothing is known.
    """
    error = F.smooth_l1_loss(trajectory, targets.positions, reduction="none").mean(dim=-1)
    return (error * targets.present).sum(dim=1) / targets.present.sum(dim=1).clamp(min=1)


def mtp(
    backbone: nn.Module,
    *,
    steps: int = 12,
    modes: int = 3,
    hidden: int = HIDDEN,
    relu: Relu = "hidden",
    dropout: float = 0.0,
    told: Told = "state",
    frames: int = 21,
    reference: Reference = "agent",
) -> MTP:
    """The net over any backbone that has stages.

    steps      positions of a trajectory
    modes      trajectories
    hidden     features of the hidden layer
    relu       hidden: behind the hidden layer; last: behind the last as well, which leaves positions ahead and to the
               left alone; none: nowhere
    dropout    share of the hidden features that are left out in a step, 0..1
    told       state: told beside the raster are speed, acceleration and yaw rate; past: all seen places as well;
               nothing: neither
    frames     seen frames, for `past`
    reference  where positions are said from: `agent`, or `constant-velocity`

    Raises MissingStageError for a backbone without stages, SettingsError for another relu, told or reference.
    """
    return MTP(
        backbone,
        steps=steps,
        modes=modes,
        head=Head(hidden, relu, dropout),
        beside=SideInputs(told, frames=frames),
        reference=reference,
    )
