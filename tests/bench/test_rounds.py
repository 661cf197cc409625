"""Pieces of work take turns, and their rates are those of their calls."""

import pytest

from resvision.bench import rounds
from resvision.bench.rounds import Rates, best_s, in_turn


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands but for what a piece of work adds."""
    now = [0.0]
    monkeypatch.setattr(rounds.time, "perf_counter", lambda: now[0])
    return now


def test_all_are_warmed_up_and_then_take_turns(clock: list[float]) -> None:
    calls: list[str] = []

    def job(name: str, seconds: float, images: int) -> rounds.Job:
        def work() -> int:
            calls.append(name)
            clock[0] += seconds
            return images

        return work

    turns: list[None] = []
    rates = in_turn(
        {"slow": job("slow", 2.0, 4), "fast": job("fast", 0.5, 4)},
        rounds=2,
        least_s=1.0,
        watch=lambda: turns.append(None),
    )
    assert calls == ["slow", "fast", "slow", "fast", "fast", "slow", "fast", "fast"]
    assert len(turns) == 6
    assert rates == {"slow": Rates((2.0, 2.0)), "fast": Rates((8.0, 8.0))}
    assert rates["fast"].over(rates["slow"]) == 4.0


def test_a_ratio_is_taken_in_each_round() -> None:
    assert Rates((2.0, 1.0, 3.0)).over(Rates((1.0, 0.25, 1.0))) == 3.0
    assert Rates((8.0, 10.0, 14.0)).spread == pytest.approx(0.3)


def test_the_best_time_leaves_out_the_first(clock: list[float]) -> None:
    seconds = iter((0.1, 5.0, 2.0, 3.0, 9.0))

    def work() -> None:
        clock[0] += next(seconds)

    assert best_s(work, least_s=10.0) == 2.0
