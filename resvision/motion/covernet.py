"""CoverNet: the choice of one out of a fixed set of trajectories that were driven.

Phan-Minh et al. 2020, CoverNet: Multimodal Behavior Prediction using Trajectory Sets,
https://arxiv.org/abs/1911.10298; parts are named as in the devkit of nuScenes.

The set is the greedy cover of the training futures within `epsilon_m`, made before the first step and kept with the
weights. `modes` bounds it: where the cover needs more, it is cut off, and where it needs fewer, the rest is never
chosen; both are said before the training.

Differs from the paper: the cover is made of as many training windows as `cover_windows` says, drawn by `cover_seed`;
with the reference `constant-velocity` the set is one of departures from that. Differs from the devkit: no ReLU behind
the last layer, by which no logit could be below 0, unless `relu=last`.

Glossary
    N windows, M modes, T steps
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.contracts import Batch, Term, fp32_or_more
from resvision.core.plurals import counted
from resvision.core.samples import Reader
from resvision.kinds.motion.windows import Window
from resvision.motion.forecaster import (
    Forecast,
    Forecaster,
    MotionInputs,
    Reference,
    mean_distances,
    windows_known,
)
from resvision.motion.parts.cover import Cover, greedy_cover
from resvision.motion.parts.side_inputs import SideInputs, Told
from resvision.motion.parts.state_head import HIDDEN, Head, Relu, StateNet
from resvision.motion.parts.whole_futures import whole_futures

NEVER = -1e4
"""The logit of a mode that is no trajectory of the set: its probability is 0, and no difference of logits overflows."""


class CoverNet(StateNet):
    """The net of two layers whose last gives a logit for each trajectory of the set.

    trajectories  (M, T, 2) float32, the set, from the net's reference; zeros behind its members
    members       () int64, the number of trajectories in the set
    epsilon_m     () float32, metres within which they were to cover the training futures
    covered       () float32, the share of these that they do cover
    """

    trajectories: Tensor
    members: Tensor
    epsilon_m: Tensor
    covered: Tensor

    def __init__(
        self, backbone: nn.Module, *, steps: int, modes: int, head: Head, beside: SideInputs, reference: Reference
    ) -> None:
        super().__init__(backbone, steps=steps, modes=modes, head=head, beside=beside, reference=reference)
        self.head = nn.ModuleList(self.layers(modes))
        self.register_buffer("trajectories", torch.zeros(modes, steps, 2))
        self.register_buffer("members", torch.tensor(0))
        self.register_buffer("epsilon_m", torch.tensor(0.0))
        self.register_buffer("covered", torch.tensor(0.0))

    def forward(self, images: Tensor, inputs: MotionInputs | None = None) -> Tensor:
        """Logits (N, M) of normalized images (N, C, side, side) and the state."""
        hidden, last = self.head
        return self.through(hidden, last, images, inputs)

    def set_to(self, cover: Cover, epsilon_m: float) -> None:
        """Take the trajectories of a cover, at most M."""
        self.trajectories.zero_()
        self.trajectories[: len(cover.positions)] = torch.from_numpy(cover.positions).to(self.trajectories)
        self.members.fill_(len(cover.positions))
        self.epsilon_m.fill_(epsilon_m)
        self.covered.fill_(cover.share)


@dataclass(frozen=True, kw_only=True)
class CoverLoss:
    """The options of CoverNet's set of trajectories; ValueError for values that cannot be.

    epsilon_m      metres within which the set covers the training futures: 8, 4 and 2 in the paper
    cover_windows  training windows that the set is made of, at most
    cover_seed     of the draw of these
    """

    epsilon_m: float = 2.0
    cover_windows: int = 3000
    cover_seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.epsilon_m < math.inf:
            raise ValueError(f"epsilon_m must be above 0, got {self.epsilon_m}")
        if self.cover_windows < 1 or self.cover_seed < 0:
            raise ValueError(
                f"cover_windows must be at least 1 and cover_seed 0, got {self.cover_windows} and {self.cover_seed}"
            )


class CoverForecaster(Forecaster):
    """The system of CoverNet: the cross-entropy of the trajectory of the set that is nearest to what came true."""

    net: CoverNet
    loss_options: ClassVar[type] = CoverLoss

    def __init__(
        self, net: CoverNet, *, mean: Sequence[float], std: Sequence[float], options: CoverLoss | None = None
    ) -> None:
        super().__init__(net, mean=mean, std=std)
        self.options = options or CoverLoss()

    def relative(self, inputs: MotionInputs) -> Forecast:
        """The trajectories of the set with the net's logits; those beyond its members are never chosen."""
        logits = fp32_or_more(self.net(self.normalized(inputs.images), inputs))
        modes = torch.arange(self.net.modes, device=logits.device)
        # A net whose set was never made gives the same standstill in all modes.
        logits = logits.masked_fill((modes >= self.net.members) & (self.net.members > 0), NEVER)
        return Forecast(self.net.trajectories.to(logits.dtype).expand(logits.shape[0], -1, -1, -1), logits)

    def losses_of(self, forecast: Forecast, batch: Batch) -> dict[str, Term]:
        """Compute the cross-entropy of choosing the trajectory with the least mean distance, over windows."""
        apart = mean_distances(forecast.positions, batch.targets)
        nearest = apart.masked_fill(forecast.logits <= NEVER, math.inf).argmin(dim=1)
        choice = F.cross_entropy(forecast.logits, nearest, reduction="none")
        is_known = batch.targets.present.any(dim=1)
        return {"choice": Term((choice * is_known).sum(), windows_known(batch.targets))}

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the windows of which any future is known."""
        return {"choice": windows_known(batch.targets)}

    def cover(self, reader: Reader[Window]) -> Cover:
        """The greedy cover of the training futures. Raises DataError where none is known to its end."""
        options, net = self.options, self.net
        futures = whole_futures(reader, options.cover_windows, seed=options.cover_seed, reference=net.reference)
        return greedy_cover(futures.positions, epsilon_m=options.epsilon_m, most=net.modes)

    def measure(self, reader: Reader[Window]) -> None:
        """Make the set of trajectories; that of weights that the net starts with stays, since they know no other."""
        if not self.net.members:
            self.net.set_to(self.cover(reader), self.options.epsilon_m)

    def advice(self, reader: Reader[Window]) -> dict[str, str]:
        """Say how much of the training futures the set covers, and what would make it larger or smaller."""
        cover, modes, epsilon = self.cover(reader), self.net.modes, self.options.epsilon_m
        made = f"{len(cover.positions)} trajectories lie within {epsilon:g} m of {cover.share:.1%} of training futures"
        if cover.share < 1:
            return {"cover": f"{made}; model.options.modes=N takes more, loss.epsilon_m={2 * epsilon:g} needs fewer"}
        if len(cover.positions) < modes:
            spare = modes - len(cover.positions)
            return {"cover": f"{made}; the other {counted(spare, 'mode')} {'is' if spare == 1 else 'are'} never chosen"}
        return {"cover": made}


def covernet(
    backbone: nn.Module,
    *,
    steps: int = 12,
    modes: int = 64,
    hidden: int = HIDDEN,
    relu: Relu = "hidden",
    dropout: float = 0.0,
    told: Told = "state",
    frames: int = 21,
    reference: Reference = "agent",
) -> CoverNet:
    """The net over any backbone that has stages, with an empty set of trajectories, which training makes.

    steps      positions of a trajectory
    modes      trajectories of the set, at most: in the paper 64, 415 and 2,206 within 8, 4 and 2 metres
    hidden     features of the hidden layer
    relu       hidden: behind the hidden layer; last: behind the last as well, as in the devkit; none: nowhere
    dropout    share of the hidden features that are left out in a step, 0..1
    told       state: told beside the raster are speed, acceleration and yaw rate; past: all seen places as well;
               nothing: neither
    frames     seen frames, for `past`
    reference  where positions are said from: `agent`, or `constant-velocity`

    Raises MissingStageError for a backbone without stages, SettingsError for another relu, told or reference.
    """
    return CoverNet(
        backbone,
        steps=steps,
        modes=modes,
        head=Head(hidden, relu, dropout),
        beside=SideInputs(told, frames=frames),
        reference=reference,
    )
