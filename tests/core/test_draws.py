"""Counted randomness: uniform, independent, and a pure function of its counters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resvision.core.draws import key, order, shuffled, uniform

INDICES = np.arange(20_000, dtype=np.int64)


def test_draws_are_uniform() -> None:
    draws = uniform(0, 0, INDICES, 4).ravel()
    assert draws.min() >= 0
    assert draws.max() < 1
    assert abs(draws.mean() - 1 / 2) < 5 / np.sqrt(12 * draws.size)
    assert abs(draws.var() - 1 / 12) < 0.002
    counts = np.histogram(draws, bins=100, range=(0, 1))[0]
    chi_square = ((counts - draws.size / 100) ** 2 / (draws.size / 100)).sum()
    assert chi_square < 99 + 5 * np.sqrt(2 * 99)


@pytest.mark.parametrize(
    "other",
    [
        uniform(0, 0, INDICES + 1, 1),
        uniform(0, 1, INDICES, 1),
        uniform(1, 0, INDICES, 1),
        uniform(0, 0, INDICES, 2)[:, 1:],
    ],
    ids=["index", "epoch", "seed", "slot"],
)
def test_neighbours_are_not_correlated(other: np.ndarray) -> None:
    draws = uniform(0, 0, INDICES, 1)
    assert abs(np.corrcoef(draws[:, 0], other[:, 0])[0, 1]) < 5 / np.sqrt(len(draws))


def test_seed_and_epoch_do_not_stand_for_each_other() -> None:
    assert not np.allclose(uniform(3, 5, INDICES, 1), uniform(5, 3, INDICES, 1))


@settings(deadline=None)  # other work on the machine is no fault of the code
@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=8), st.integers(0, 2**63), st.integers(0, 10**6))
def test_a_row_does_not_depend_on_the_others(indices: list[int], seed: int, epoch: int) -> None:
    together = uniform(seed, epoch, np.array(indices), 3)
    alone = [uniform(seed, epoch, np.array([index]), 3)[0] for index in indices]
    assert np.array_equal(together, alone)


def test_more_slots_leave_the_first_ones_as_they_are() -> None:
    assert np.array_equal(uniform(1, 2, INDICES, 7)[:, :3], uniform(1, 2, INDICES, 3))


@settings(deadline=None)  # other work on the machine is no fault of the code
@given(st.integers(0, 2**63), st.integers(0, 10**6), st.integers(0, 300))
def test_an_order_is_a_permutation(seed: int, epoch: int, n: int) -> None:
    assert np.array_equal(np.sort(order(seed, epoch, n)), np.arange(n))
    assert np.array_equal(order(seed, epoch, n), order(seed, epoch, n))


def test_orders_differ_by_epoch_and_seed() -> None:
    orders = [order(seed, epoch, 1000).tolist() for seed in range(3) for epoch in range(3)]
    assert len({tuple(each) for each in orders}) == 9


def test_every_place_of_an_order_is_equally_likely() -> None:
    first = np.array([order(0, epoch, 5)[0] for epoch in range(2000)])
    assert np.abs(np.bincount(first, minlength=5) - 400).max() < 5 * np.sqrt(400)


def test_a_shuffle_is_a_permutation_that_the_seed_decides() -> None:
    assert np.array_equal(np.sort(shuffled(100, seed=0)), np.arange(100))
    assert shuffled(100, seed=0).tolist() != shuffled(100, seed=1).tolist()


def test_keys_fit_63_bits_and_tell_counters_apart() -> None:
    keys = [key(seed, step, rank) for seed in range(10) for step in range(100) for rank in range(4)]
    assert len(set(keys)) == 4000
    assert all(0 <= each < 2**63 for each in keys)
    assert max(keys) > 2**62
    assert key(1, 2) != key(2, 1)
