"""Samples that stay in memory where all of a split fit."""

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class KeptSamples(ABC, Generic[Kept]):
    """The samples of a split by their index: read once where all are kept, and each time elsewhere. Abstract."""

    def __init__(self, samples: int, *, fits: bool) -> None:
        """So many samples, which are read here where they fit into memory: what `read` needs is set before."""
        self._kept = [self.read(index) for index in range(samples)] if fits else None

    @abstractmethod
    def read(self, index: int) -> Kept:
        """The sample, read from its files."""

    def __getitem__(self, index: int) -> Kept:
        return self.read(index) if self._kept is None else self._kept[index]
