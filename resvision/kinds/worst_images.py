"""The worst images of a data set, kept in little memory while one image after the other is scored."""

import heapq
from typing import Generic, NamedTuple, TypeVar

V = TypeVar("V")


class Ranked(NamedTuple, Generic[V]):
    """An image among the worst: how bad its result is, its index in the set, and what else is kept of it."""

    badness: float
    image: int
    value: V


class WorstImages(Generic[V]):
    """The `limit` worst of the images that were added, in whatever order; of equal ones those of lower index."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._heap: list[tuple[float, int, V]] = []  # (badness, -index, value): the least bad comes first

    def add(self, index: int, badness: float, value: V) -> None:
        """Add an image."""
        self._push((badness, -index, value))

    def merge(self, other: "WorstImages[V]") -> None:
        """Add the images that were kept elsewhere."""
        for entry in other._heap:
            self._push(entry)

    def ranked(self) -> list[Ranked[V]]:
        """The images, the worst first."""
        return [Ranked(badness, -minus_index, value) for badness, minus_index, value in sorted(self._heap)[::-1]]

    def _push(self, entry: tuple[float, int, V]) -> None:
        if len(self._heap) < self._limit:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)
