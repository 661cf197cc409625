"""Motion regression, the baseline of l5kit: a residual net whose last layer gives the positions of the future.

After Houston et al. 2020, https://arxiv.org/abs/2006.14480, section 5: a ResNet-50 whose first convolution has as many
channels as the raster. Several modes are the variant of that project's examples: trajectories first, a logit for each
behind them, and the likelihood of the future under all of them as loss.

Differs from l5kit: the squared error is divided by the numbers that are known, and not by all, unless `mean_over=all`;
any net with stages may be the backbone.

Glossary
    N windows, M modes, T steps
    out  (N, 2 T), or (N, M (2 T + 1)): for each mode x and y of each step in turn, then the logits
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from resvision.contracts import Batch, Term, fp32_or_more
from resvision.motion.forecaster import (
    Forecast,
    Forecaster,
    ForecastNet,
    MotionInputs,
    MotionTargets,
    Reference,
    windows_known,
)
from resvision.motion.parts.trunk import features, full_precision, trunk

MeanOver = Literal["known", "all"]


class MotionRegression(ForecastNet):
    """The features of a raster, and one linear layer."""

    def __init__(self, backbone: nn.Module, *, steps: int, modes: int, reference: Reference) -> None:
        super().__init__(steps=steps, modes=modes, reference=reference)
        self.backbone, width = trunk(backbone)
        self.fc = nn.Linear(width, modes * 2 * steps + (modes if modes > 1 else 0))

    def forward(self, images: Tensor, inputs: MotionInputs | None = None) -> Tensor:
        """Trajectories and logits, as `out` in the glossary, of normalized images (N, C, side, side)."""
        pooled = features(self.backbone, images)
        with full_precision(pooled):
            out: Tensor = self.fc(pooled)
        return out


@dataclass(frozen=True, kw_only=True)
class RegressionLoss:
    """The options of the loss of a motion regression; ValueError for values that cannot be.

    mean_over  known: the squared error is divided by the positions that are known; all: by all, as in l5kit
    """

    mean_over: MeanOver = "known"

    def __post_init__(self) -> None:
        if self.mean_over not in get_args(MeanOver):
            raise ValueError(f"mean_over must be one of {', '.join(get_args(MeanOver))}, got {self.mean_over!r}")


class RegressionForecaster(Forecaster):
    """The system of a motion regression: squared error of one trajectory, or the likelihood of several."""

    loss_options: ClassVar[type] = RegressionLoss

    def __init__(
        self,
        net: MotionRegression,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        options: RegressionLoss | None = None,
    ) -> None:
        super().__init__(net, mean=mean, std=std)
        self.mean_over = (options or RegressionLoss()).mean_over

    def relative(self, inputs: MotionInputs) -> Forecast:
        """Split what the net gives; a single trajectory has the logit 0."""
        out = fp32_or_more(self.net(self.normalized(inputs.images), inputs))
        return split_modes(out, self.net.modes, self.net.steps)

    def losses_of(self, forecast: Forecast, batch: Batch) -> dict[str, Term]:
        """Compute the squared error in square metres, or the negative log-likelihood of several modes."""
        targets: MotionTargets = batch.targets
        if self.net.modes > 1:
            return {"likelihood": Term(-log_likelihoods(forecast, targets).sum(), windows_known(targets))}
        apart = (forecast.positions[:, 0] - targets.positions).square() * targets.present[..., None]
        return {"squared": Term(apart.sum(), self._numbers(targets))}

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the numbers, or the windows, over which the loss is taken."""
        if self.net.modes > 1:
            return {"likelihood": windows_known(batch.targets)}
        return {"squared": self._numbers(batch.targets)}

    def _numbers(self, targets: MotionTargets) -> Tensor:
        """Two numbers for each position that counts, a scalar."""
        if self.mean_over == "all":
            return targets.positions.new_full((), targets.positions.numel())
        return 2 * targets.present.sum()


def split_modes(out: Tensor, modes: int, steps: int) -> Forecast:
    """Trajectories and logits in what a net gives, (N, M (2 T + 1)), or (N, 2 T) of one mode, whose logit is 0."""
    numbers = 2 * modes * steps
    positions = out[:, :numbers].reshape(-1, modes, steps, 2)
    # The shape and not `len`, which would fix the number of windows in a graph.
    logits = out[:, numbers:] if out.shape[1] > numbers else out.new_zeros(out.shape[0], modes)
    return Forecast(positions, logits)


def log_likelihoods(forecast: Forecast, targets: MotionTargets) -> Tensor:
    """The log-likelihood of each future, (N,): log sum_m p_m exp(-1/2 sum_t |x_t - x_mt|^2), over known steps.

    After l5kit; 0 for a window of which nothing is known. Variances are 1 square metre, and factors of the normal
    distribution are left out.
    """
    apart = (forecast.positions - targets.positions[:, None]).square().sum(dim=-1)
    exponents = forecast.logits.log_softmax(dim=1) - 0.5 * (apart * targets.present[:, None]).sum(dim=-1)
    return torch.logsumexp(exponents, dim=1) * targets.present.any(dim=1)


def motion_regression(
    backbone: nn.Module, *, steps: int = 50, modes: int = 1, reference: Reference = "agent"
) -> MotionRegression:
    """The net over any backbone that has stages.

    steps      positions of a trajectory
    modes      trajectories; above 1, each has a logit
    reference  where positions are said from: `agent`, or `constant-velocity`

    Raises MissingStageError for a backbone without stages, SettingsError for another reference.
    """
    return MotionRegression(backbone, steps=steps, modes=modes, reference=reference)
