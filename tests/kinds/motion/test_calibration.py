"""Calibration of the probabilities of modes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from resvision.kinds.motion.averages import ranges_of
from resvision.kinds.motion.calibration import Calibration


def _drawn(windows: int, *, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Modes far apart, of which each came true as often as it is said to, and the truth."""
    draws = np.random.default_rng(seed)
    probabilities = draws.dirichlet(np.ones(4), size=windows)
    modes = np.zeros((windows, 4, 5, 2)) + 10.0 * np.arange(4)[:, None, None]
    chosen = (draws.uniform(size=(windows, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(max=3)
    return modes, probabilities, modes[np.arange(windows), chosen] + 0.5


def _ranges(*parts: slice) -> Calibration:
    modes, probabilities, truth = _drawn(4000)
    whole = Calibration()
    for part in parts:
        share = Calibration()
        share.add(modes[part], probabilities[part], truth[part], np.ones(truth[part].shape[:2], dtype=bool))
        whole.merge(share)
    return whole


def test_modes_that_come_true_as_often_as_said_are_calibrated() -> None:
    rows = ranges_of(_ranges(slice(None)))

    assert sum(row.modes for row in rows) == 4 * 4000
    for row in rows:
        assert row.least <= row.probability < row.most
        assert row.nearest == pytest.approx(row.probability, abs=5 * np.sqrt(0.25 / row.modes))


def test_parts_in_any_order_give_the_same_bits() -> None:
    assert ranges_of(_ranges(slice(None))) == ranges_of(_ranges(slice(2500, None), slice(0, 7), slice(7, 2500)))


def test_certain_mode_stands_in_the_last_range() -> None:
    calibration = Calibration()
    calibration.add(np.zeros((3, 1, 2, 2)), np.ones((3, 1)), np.zeros((3, 2, 2)), np.ones((3, 2), dtype=bool))

    (row,) = ranges_of(calibration)

    assert (row.least, row.most, row.modes, row.probability, row.nearest) == (0.9, 1.0, 3, 1.0, 1.0)


def test_windows_of_which_nothing_came_to_be_known_are_left_out() -> None:
    calibration = Calibration()
    calibration.add(np.zeros((3, 2, 2, 2)), np.full((3, 2), 0.5), np.zeros((3, 2, 2)), np.zeros((3, 2), dtype=bool))

    assert ranges_of(calibration) == ()
