"""Replay: the futures of those training tracks whose past is most like that of a vehicle, each of another vehicle.

Not in a paper: a baseline. Tracks are kept with the weights before the first step, and a run of `0 steps` is all that
it needs. A training with steps fits one number, the width by which likeness becomes probability.

Glossary
    N windows, F seen frames, M modes, T steps
    K  kept tracks
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from resvision.contracts import Batch, Term, fp32_or_more
from resvision.core.errors import SettingsError
from resvision.core.samples import Reader
from resvision.kinds.motion.windows import Window
from resvision.motion.forecaster import Forecast, Forecaster, ForecastNet, MotionInputs, Reference, windows_known
from resvision.motion.motion_regression import log_likelihoods
from resvision.motion.parts.trunk import full_precision
from resvision.motion.parts.whole_futures import whole_futures

LEAST_WIDTH_M = 0.1
"""The least width in metres that is measured: positions are not known better."""

OF_ANOTHER_FRAME = 1e6
"""Square metres that a frame counts which a track lacks: whatever has it comes first."""

NO_TRACK = 1e9
"""Square metres to a place that holds no track; no infinity, by which a gradient would be no number."""

MEASURED = 256
"""Tracks by which the width is measured."""


class Replay(ForecastNet):
    """Kept tracks, and the width of the kernel over their distances.

    pasts      (K, F, 2) float32, metres, 0 where the vehicle was not seen
    seen       (K, F) float32, 1 where it was
    futures    (K, T, 2) float32, from the net's reference
    vehicles   (K,) int64, the number of the vehicle whose track it is
    tracks     () int64, the number of tracks; what lies behind them counts for nothing
    log_width  () float32, the only parameter: the logarithm of the width in metres
    """

    sees_rasters: ClassVar[bool] = False
    pasts: Tensor
    seen: Tensor
    futures: Tensor
    vehicles: Tensor
    tracks: Tensor

    def __init__(self, *, frames: int, steps: int, modes: int, tracks: int, reference: Reference) -> None:
        super().__init__(steps=steps, modes=modes, reference=reference)
        if modes > tracks:
            raise SettingsError(
                f"modes is {modes}, more than the {tracks} tracks; keep more tracks, or give fewer modes"
            )
        self.register_buffer("pasts", torch.zeros(tracks, frames, 2))
        self.register_buffer("seen", torch.zeros(tracks, frames))
        self.register_buffer("futures", torch.zeros(tracks, steps, 2))
        self.register_buffer("vehicles", torch.arange(tracks))
        self.register_buffer("tracks", torch.tensor(0))
        self.log_width = nn.Parameter(torch.tensor(0.0))

    def forward(self, images: Tensor, inputs: MotionInputs | None = None) -> Tensor:
        """Mean square distances of the past of each window from those of all tracks, (N, K), in square metres."""
        if inputs is None:
            nothing = fp32_or_more(images.new_zeros(images.shape[0], *self.pasts.shape[1:]))
            return self._apart(nothing, nothing[..., 0])
        with full_precision(inputs.past):
            return self._apart(inputs.past[..., :2], inputs.present)

    def _apart(self, past: Tensor, present: Tensor) -> Tensor:
        """The distances of `forward` for pasts (N, F, 2), seen in frames (N, F)."""
        apart = past.new_zeros(past.shape[0], self.pasts.shape[0])
        for frame in range(self.pasts.shape[1]):  # one at a time, for the memory's sake
            shared = present[:, frame, None] * self.seen[:, frame]
            apart = apart + shared * (past[:, frame, None] - self.pasts[:, frame]).square().sum(dim=-1)
        lacking = present.sum(dim=1, keepdim=True) - present @ self.seen.T
        apart = apart / present.sum(dim=1, keepdim=True).clamp(min=1) + OF_ANOTHER_FRAME * lacking
        kept = torch.arange(self.pasts.shape[0], device=apart.device) < self.tracks
        return apart.masked_fill(~kept & (self.tracks > 0), NO_TRACK)

    def keep(self, windows: Sequence[Window], futures: NDArray[np.float32]) -> None:
        """Keep the pasts of windows with their futures (K, T, 2), and measure the width: how far neighbours lie."""
        pasts = [window.past() for window in windows]
        for buffer, values in (
            (self.pasts, np.stack([past.positions for past in pasts])),
            (self.seen, np.stack([past.present for past in pasts])),
            (self.futures, futures),
        ):
            buffer.zero_()
            buffer[: len(windows)] = torch.from_numpy(values).to(buffer)
        self.tracks.fill_(len(windows))
        numbers: dict[tuple[str, int], int] = {}
        of_whom = [numbers.setdefault((one.scene.name, one.vehicle), len(numbers)) for one in windows]
        self.vehicles[: len(windows)] = torch.tensor(of_whom)
        with torch.no_grad():
            self.log_width.copy_(self._usual_width(len(windows)).log())

    def nearest(self, apart: Tensor) -> Tensor:
        """The nearest tracks by distances (N, K), each of another vehicle: (N, M), the nearest first.

        Neighbouring moments of one vehicle are all but equal, so that they would be one prediction over and over.
        """
        chosen: list[Tensor] = []
        for _ in range(self.modes):
            chosen.append(apart.argmin(dim=1))
            apart = apart.masked_fill(self.vehicles == self.vehicles[chosen[-1]][:, None], 2 * NO_TRACK)
        return torch.stack(chosen, dim=1)

    def _usual_width(self, count: int) -> Tensor:
        """The mean distance of `count` kept tracks from the nearest of another vehicle, in metres, a scalar."""
        some = slice(0, min(MEASURED, count))
        apart = self._apart(self.pasts[some], self.seen[some])
        nearest = apart.masked_fill(self.vehicles[some, None] == self.vehicles, NO_TRACK).amin(dim=1)
        usual = nearest[nearest < OF_ANOTHER_FRAME].sqrt().mean()
        return usual.nan_to_num(1.0).clamp(min=LEAST_WIDTH_M)


@dataclass(frozen=True, kw_only=True)
class ReplayLoss:
    """The options of a replay: there are none."""


class ReplayForecaster(Forecaster):
    """The system of a replay: the nearest tracks as modes, the nearer the more probable."""

    net: Replay
    loss_options: ClassVar[type] = ReplayLoss

    def __init__(
        self, net: Replay, *, mean: Sequence[float], std: Sequence[float], options: ReplayLoss | None = None
    ) -> None:
        super().__init__(net, mean=mean, std=std)

    def relative(self, inputs: MotionInputs) -> Forecast:
        """The futures of the nearest tracks; logits fall with the square of the distance over the width."""
        apart = self.net(self.normalized(inputs.images), inputs)
        tracks = self.net.nearest(apart)
        nearest = apart.gather(1, tracks)
        logits = -0.5 * (nearest - nearest[:, :1]) * torch.exp(-2 * self.net.log_width)
        return Forecast(self.net.futures[tracks].to(logits.dtype), logits)

    def losses_of(self, forecast: Forecast, batch: Batch) -> dict[str, Term]:
        """Compute the negative log-likelihood of the futures, over windows."""
        return {"likelihood": Term(-log_likelihoods(forecast, batch.targets).sum(), windows_known(batch.targets))}

    def measure(self, reader: Reader[Window]) -> None:
        """Keep the training tracks, as many as there is room for; those of weights that the net starts with stay."""
        if not self.net.tracks:
            room = self.net.pasts.shape[0]
            self.net.keep(*whole_futures(reader, room, seed=0, reference=self.net.reference))

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the windows of which any future is known."""
        return {"likelihood": windows_known(batch.targets)}


def replay(
    *, frames: int = 21, steps: int = 12, modes: int = 5, tracks: int = 8192, reference: Reference = "agent"
) -> Replay:
    """A replay without tracks, which training keeps.

    frames     seen frames, the last observed one among them
    steps      positions of a trajectory
    modes      trajectories
    tracks     room for so many windows of training; where there are more, they are drawn
    reference  where positions are said from: `agent`, or `constant-velocity`

    Raises SettingsError for more modes than tracks, and for another reference.
    """
    return Replay(frames=frames, steps=steps, modes=modes, tracks=tracks, reference=reference)
