"""Warming up: the batches that are worth it, by the seconds of a call with one view and with four."""

import pytest

from resvision.serving.warm_up import ALONE, Batching, batching_by


@pytest.mark.parametrize(
    ("one_s", "few_s", "batching"),
    [
        (0.010, 0.040, ALONE),  # a call costs nothing of its own
        (0.010, 0.045, ALONE),  # views get in each other's way
        (0.010, 0.037, ALONE),  # a gain of 8 %
        (0.0143, 0.0466, Batching(4, 4)),  # ResNet-50 on one core with AMX
        (0.0085, 0.0225, Batching(3, 4)),  # on two cores
        (0.010, 0.020, Batching(3, 16)),  # two thirds of a call are its own
        (0.010, 0.010, Batching(2, 16)),  # all of it
        (0.010, 0.008, Batching(2, 16)),
    ],
)
def test_batches_are_as_large_as_is_worth_it(one_s: float, few_s: float, batching: Batching) -> None:
    assert batching_by(one_s, few_s) == batching
