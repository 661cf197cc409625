"""Rates of several pieces of work that take turns, so that what else the machine does meets all of them alike."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

Job = Callable[[], int]
"""A piece of work that is done again and again; it gives the number of images that it has done."""


class Rates(NamedTuple):
    """Images a second of one piece of work, round by round."""

    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.rounds)

    @property
    def spread(self) -> float:
        """Half the distance between the best and the worst round, as a share of the median."""
        return (max(self.rounds) - min(self.rounds)) / 2 / self.median

    def over(self, other: "Rates") -> float:
        """The median over the rounds of the ratio to another piece of work, both in the same round."""
        return median(own / theirs for own, theirs in zip(self.rounds, other.rounds, strict=True))


def in_turn(
    jobs: Mapping[str, Job], *, rounds: int, least_s: float, watch: Callable[[], object] = lambda: None
) -> dict[str, Rates]:
    """Measure each job in each round; a first call of each, which warms it up, is not counted.

    least_s  seconds for which a job is called again in a round; at least once
    watch    called whenever a job has had its turn
    """
    for job in jobs.values():
        job()
        watch()
    rates: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            rates[name].append(_rate(job, least_s))
            watch()
    return {name: Rates(tuple(values)) for name, values in rates.items()}


def best_s(work: Callable[[], object], *, least_s: float) -> float:
    """The shortest of the times that a piece of work takes, after a first one that is not counted, in seconds."""
    work()
    times: Sequence[float] = []
    until = time.perf_counter() + least_s
    while not times or time.perf_counter() < until:
        times = [*times, _seconds(work)]
    return min(times)


def _rate(job: Job, least_s: float) -> float:
    """Images a second: the median of the calls, so that one that something else held up does not count."""
    rates: list[float] = []
    until = time.perf_counter() + least_s
    while not rates or time.perf_counter() < until:
        begun = time.perf_counter()
        images = job()
        rates.append(images / (time.perf_counter() - begun))
    return median(rates)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
