"""Budgets that requests share: what is taken is given back, whichever thread took it and however late."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from resvision.serving.budgets import Budget
from resvision.serving.refused_requests import RefusedRequest


def test_more_than_there_is_is_refused_and_takes_nothing() -> None:
    budget = Budget(10, "pixels")
    with budget.shared() as one, budget.shared() as other:
        one.add(8)
        with pytest.raises(RefusedRequest, match="10 pixels"):
            other.add(3)
        other.add(2)
        assert budget.taken == 10
    assert budget.taken == 0


def test_a_thread_that_comes_after_the_end_of_its_request_takes_nothing() -> None:
    budget = Budget(10, "pixels")
    with budget.shared() as share:
        share.add(3)
    with pytest.raises(RefusedRequest, match="ended"):
        share.add(3)
    assert budget.taken == 0


def test_threads_that_add_to_one_share_lose_nothing() -> None:
    budget = Budget(100_000, "pixels")
    with ThreadPoolExecutor(8) as pool, budget.shared() as share:
        for future in [pool.submit(lambda: [share.add(1) for _ in range(1000)]) for _ in range(8)]:
            future.result()
        assert share.amount == budget.taken == 8000
    assert budget.taken == 0
