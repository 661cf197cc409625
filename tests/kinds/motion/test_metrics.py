"""Errors of trajectories: the known answers of l5kit and nuScenes, and what holds of any prediction."""

import numpy as np
import pytest
from numpy.typing import NDArray

from resvision.kinds.motion.metrics import MODES_COUNTED, Errors, by_probability, distances, errors_of

EVERY_STEP = np.ones((1, 3), dtype=bool)


def _line(*xs: float) -> NDArray[np.float64]:
    """Positions (T, 2) on the x axis."""
    return np.stack([np.asarray(xs, dtype=float), np.zeros(len(xs))], axis=1)


def _errors(modes: list[NDArray[np.float64]], probabilities: list[float], truth: NDArray[np.float64]) -> Errors:
    present = np.ones((1, len(truth)), dtype=bool)
    return errors_of(np.stack(modes)[None], np.array([probabilities]), truth[None], present, [len(truth)])


@pytest.mark.parametrize(
    ("truth", "probabilities", "expected"),
    [
        (_line(0, 0, 0), [1, 0], 0),
        (_line(0, 0, 0), [0.5, 0.5], 0.69314),
        (_line(5, 5, 5), [0.5, 0.5], 37.5),
        (_line(0, 0, 10), [1, 0], 50),
        (_line(0, 0, 10), [0.5, 0.5], 50.6931),
    ],
)
def test_likelihoods_are_those_of_l5kit(
    truth: NDArray[np.float64], probabilities: list[float], expected: float
) -> None:
    nll = _errors([_line(0, 0, 0), _line(10, 10, 10)], probabilities, truth).nll

    assert nll[0, 0] == pytest.approx(expected, abs=1e-4)


def test_mean_and_best_of_two_modes_are_those_of_l5kit() -> None:
    apart = distances(np.stack([_line(0, 0, 0), _line(1, 2, 3)])[None], _line(0, 0, 0)[None])[0]

    assert (apart.mean(), apart.mean(axis=1).min()) == (1, 0)
    assert (apart[:, -1].mean(), apart[:, -1].min()) == (1.5, 0)


def test_toy_of_three_modes_has_the_errors_that_are_reckoned_by_hand() -> None:
    truth = _line(1, 2, 3, 4)
    modes = [truth + np.array([0, 1]), truth + np.array([0, 3]), truth.copy()]
    modes[2][-1] += (0, 4)
    probabilities = [0.5, 0.3, 0.2]

    errors = _errors(modes, probabilities, truth)
    alone = [_errors([mode], [1.0], truth) for mode in modes]

    assert [one.ade[0, 0, 0] for one in alone] == [1, 3, 1]
    assert [one.fde[0, 0, 0] for one in alone] == [1, 3, 4]
    assert errors.ade[0, 0, 0] == 1
    assert errors.fde[0, 0, 0] == 1
    assert errors.largest[0, 0, 0] == 1  # so that it is not missed by 2 m


def test_best_mode_is_chosen_anew_at_each_horizon() -> None:
    """The first mode is right early on, the second at the end; neither is at both."""
    truth = _line(1, 2, 3)
    modes = np.stack([_line(1, 2, 9), _line(4, 4, 3)])[None]

    errors = errors_of(modes, np.array([[0.6, 0.4]]), truth[None], EVERY_STEP, [1, 2, 3])

    assert errors.ade[0, :, 1].tolist() == [0, 0, 5 / 3]
    assert errors.ade[0, :, 0].tolist() == [0, 0, 2]
    assert errors.fde[0, :, 1].tolist() == [0, 0, 0]


def test_of_equally_probable_modes_the_one_that_comes_first_counts() -> None:
    modes = np.stack([_line(2, 2, 2), _line(0, 0, 0)])[None]

    errors = errors_of(modes, np.array([[0.5, 0.5]]), _line(0, 0, 0)[None], EVERY_STEP, [3])

    assert by_probability(np.array([[0.2, 0.4, 0.4]])).tolist() == [[1, 2, 0]]
    assert errors.fde[0, 0, MODES_COUNTED.index(1)] == 2
    assert errors.fde[0, 0, MODES_COUNTED.index(5)] == 0


def test_steps_that_were_not_seen_change_no_error() -> None:
    """An independent reckoning: the steps are cut out instead of masked."""
    draws = np.random.default_rng(0)
    modes, truth = draws.normal(size=(1, 4, 6, 2)), draws.normal(size=(1, 6, 2))
    probabilities = np.array([[0.1, 0.5, 0.2, 0.2]])
    present = np.array([[True, False, True, True, False, True]])
    elsewhere = np.where(present[..., None], truth, 1000.0)

    masked = errors_of(modes, probabilities, elsewhere, present, [6])
    cut = errors_of(modes[:, :, present[0]], probabilities, truth[:, present[0]], present[:, present[0]], [4])

    for one, other in zip(masked, cut, strict=True):
        np.testing.assert_allclose(one, other)


def test_horizon_at_which_the_vehicle_was_not_seen_has_no_final_error() -> None:
    present = np.array([[True, True, False]])

    errors = errors_of(_line(0, 0, 0)[None, None], np.ones((1, 1)), _line(1, 1, 0)[None], present, [2, 3])

    assert errors.fde[0, 0, 0] == 1
    assert np.isnan(errors.fde[0, 1]).all()
    assert errors.ade[0, :, 0].tolist() == [1, 1]


def test_more_modes_are_never_worse_than_fewer() -> None:
    draws = np.random.default_rng(1)
    modes, truth = draws.normal(size=(20, 16, 5, 2)), draws.normal(size=(20, 5, 2))

    errors = errors_of(modes, draws.uniform(size=(20, 16)), truth, np.ones((20, 5), dtype=bool), [1, 5])

    for member in errors[:3]:
        assert (np.diff(member, axis=2) <= 0).all()
    brute = np.hypot(*np.moveaxis(modes - truth[:, None], -1, 0)).mean(axis=2)
    ranked = np.take_along_axis(brute, by_probability(np.zeros((20, 16))), axis=1)  # by rank 0..15
    assert errors.ade.shape == (20, 2, len(MODES_COUNTED))
    assert (errors.ade[:, 1, 2] >= ranked.min(axis=1) - 1e-12).all()
