"""Miss rates by the rules of nuScenes, Argoverse and Waymo, at and around their thresholds."""

import numpy as np
import pytest
from numpy.typing import NDArray

from resvision.kinds.motion.metrics import Horizon, Truth, errors_of
from resvision.kinds.motion.misses import miss_rates, waymo_ratios

HORIZONS = (Horizon(1.0, 10), Horizon(3.0, 30))


def _truth(heading: float = 0.0) -> Truth:
    return Truth(np.zeros((1, 30, 2)), np.full((1, 30), heading), np.ones((1, 30), dtype=bool))


def _rates(positions: NDArray[np.float64], *, heading: float = 0.0, speed: float = 15.0) -> dict[str, float]:
    truth, certain = _truth(heading), np.ones((1, 1))
    errors = errors_of(positions, certain, truth.positions, truth.present, [10, 30])
    waymo = waymo_ratios(positions, certain, truth, HORIZONS, np.array([speed]))
    return miss_rates(errors.largest[:, 1], errors.fde[:, 1], waymo[:, 1], 3.0)


def _ending_at(x: float, y: float) -> NDArray[np.float64]:
    positions = np.zeros((1, 1, 30, 2))
    positions[0, 0, -1] = (x, y)
    return positions


def test_names_tell_rule_threshold_horizon_and_modes() -> None:
    assert [*_rates(_ending_at(0, 0))] == [
        *(f"miss_pointwise_2m_3s_k{k}" for k in (1, 5, 10)),
        *(f"miss_endpoint_2m_3s_k{k}" for k in (1, 5, 10)),
        *(f"miss_waymo_3s_k{k}" for k in (1, 5, 10)),
    ]


def test_exactly_two_metres_are_missed_by_the_rule_of_nuscenes_alone() -> None:
    rates = _rates(_ending_at(2, 0))

    assert rates["miss_pointwise_2m_3s_k1"] == 1
    assert rates["miss_endpoint_2m_3s_k1"] == 0
    assert rates["miss_waymo_3s_k1"] == 0


def test_path_that_comes_back_is_missed_by_the_pointwise_rule_alone() -> None:
    positions = np.zeros((1, 1, 30, 2))
    positions[0, 0, 12] = (0, 2.5)

    rates = _rates(positions)

    assert (rates["miss_pointwise_2m_3s_k1"], rates["miss_endpoint_2m_3s_k1"]) == (1, 0)


@pytest.mark.parametrize(
    ("end", "heading", "speed", "missed"),
    [
        ((1.9, 0.9), 0.0, 15.0, 0),
        ((0, 1.1), 0.0, 15.0, 1),
        ((0, 1.1), np.pi / 2, 15.0, 0),  # which is along the heading
        ((1.1, 0), np.pi / 2, 15.0, 1),
        ((1.1, 0), 0.0, 1.0, 1),  # half of the threshold
        ((0.9, 0), 0.0, 1.0, 0),
        ((1.45, 0), 0.0, (1.4 + 11) / 2, 0),  # three quarters
        ((1.55, 0), 0.0, (1.4 + 11) / 2, 1),
    ],
)
def test_waymo_asks_along_and_across_the_true_heading(
    end: tuple[float, float], heading: float, speed: float, missed: int
) -> None:
    assert _rates(_ending_at(*end), heading=heading, speed=speed)["miss_waymo_3s_k1"] == missed


def test_waymo_does_not_judge_at_other_horizons() -> None:
    ratios = waymo_ratios(_ending_at(9, 9), np.ones((1, 1)), _truth(), HORIZONS, np.array([15.0]))

    assert np.isnan(ratios[:, 0]).all()
    assert not any("waymo" in name for name in miss_rates(ratios[:, 1], ratios[:, 1], ratios[:, 0], 1.0))
