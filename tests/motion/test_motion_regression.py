"""Motion regression: counts of l5kit, its loss, and the likelihood of several modes."""

from typing import Any

import pytest
import torch

from resvision import catalog
from resvision.contracts import Batch
from resvision.core.errors import SettingsError
from resvision.motion.forecaster import Forecast, MotionTargets
from resvision.motion.motion_regression import RegressionForecaster, RegressionLoss, log_likelihoods


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"in_channels": 25}, 23_781_924),
        ({"in_channels": 5}, 23_719_204),
        ({"in_channels": 25, "modes": 3}, 24_197_871),
    ],
)
def test_its_parameters_are_those_of_l5kit(options: dict[str, Any], expected: int) -> None:
    with torch.device("meta"):
        net = catalog.build("motion_regression", backbone="resnet50", steps=50, **options)
    assert sum(parameter.numel() for parameter in net.parameters()) == expected


def likelihood(truth: list[float], shares: list[float], *, known: int = 3) -> float:
    """The negative log-likelihood of a path over three steps along x, under the modes 0 and 10, and these shares."""
    modes = torch.tensor([0.0, 10.0])[None, :, None, None] * torch.tensor([1.0, 0.0]).expand(1, 2, 3, 2)
    positions = torch.stack([torch.tensor(truth), torch.zeros(3)], dim=-1)[None]
    targets = MotionTargets(positions, (torch.arange(3) < known).float()[None], torch.zeros(1))
    return -float(log_likelihoods(Forecast(modes, torch.tensor([shares]).log()), targets))


def test_likelihoods_are_those_of_l5kit() -> None:
    assert likelihood([0, 0, 0], [1, 0]) == pytest.approx(0, abs=1e-6)
    assert likelihood([0, 0, 0], [0.5, 0.5]) == pytest.approx(0.69314, abs=1e-5)
    assert likelihood([5, 5, 5], [1, 0]) == pytest.approx(37.5)
    assert likelihood([5, 5, 5], [0.5, 0.5]) == pytest.approx(37.5)
    assert likelihood([0, 0, 10], [1, 0]) == pytest.approx(50)
    assert likelihood([0, 0, 10], [0.5, 0.5]) == pytest.approx(50.6931, abs=1e-4)
    assert likelihood([0, 0, 10], [1, 0], known=2) == pytest.approx(0, abs=1e-6)


def forecaster(**options: Any) -> RegressionForecaster:
    net = catalog.build("motion_regression", backbone="resnet20", width=4, steps=3)
    return RegressionForecaster(net, mean=(0.0,) * 3, std=(1.0,) * 3, options=RegressionLoss(**options))


def test_the_squared_error_is_divided_by_what_is_known_or_by_all_as_in_l5kit() -> None:
    truth = torch.zeros(2, 3, 2)
    present = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    batch = Batch(None, MotionTargets(truth, present, torch.zeros(2)), torch.arange(2))
    off = Forecast(truth[:, None] + 3, torch.zeros(2, 1))
    (known,) = forecaster().losses_of(off, batch).values()
    (of_all,) = forecaster(mean_over="all").losses_of(off, batch).values()
    assert (float(known.total), float(known.weight)) == (4 * 9, 4)
    assert (float(of_all.total), float(of_all.weight)) == (4 * 9, 12)
    assert float(of_all.mean()) == float(((off.positions[:, 0] - truth).square() * present[..., None]).mean())


def test_a_wrong_option_is_one_clear_error() -> None:
    with pytest.raises(SettingsError, match="reference 'north': choices are agent, constant-velocity"):
        catalog.build("motion_regression", backbone="resnet20", reference="north")
    with pytest.raises(ValueError, match="mean_over must be one of known, all"):
        RegressionLoss(mean_over="some")  # type: ignore[arg-type]
