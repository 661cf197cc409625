"""The batches of an evaluation: every sample exactly once over all processes, in the order of the set."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from resvision.contracts import Batch
from resvision.core.errors import SettingsError


class ExamBatches(Dataset[Batch], ABC):
    """The evaluation batches of one process. Abstract.

    A batch holds neighbours, at most `batch_size`. Processes take whole batches in turn: to cut each batch among them
    would change its size, and so the bits of results. There may be none for a process.
    """

    def __init__(
        self,
        samples: int,
        *,
        batch_size: int,
        rank: int = 0,
        world: int = 1,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        """The batches of so many samples; `sizes`, one for each, keep those of different heights and widths apart."""
        if batch_size < 1:
            raise SettingsError(f"batch_size: {batch_size}; it must be at least 1")
        self.batch_size = batch_size
        cuts = cut_evenly(samples, batch_size) if sizes is None else cut_by_size(sizes, batch_size)
        self._cuts = cuts[rank::world]

    @abstractmethod
    def batch_of(self, ids: NDArray[np.int64]) -> Batch:
        """The batch of these samples, (N,), in their order."""

    def __len__(self) -> int:
        return len(self._cuts)

    def __getitem__(self, position: int) -> Batch:
        return self.batch_of(np.array(self._cuts[position], dtype=np.int64))


def cut_evenly(samples: int, batch_size: int) -> list[range]:
    """The samples of every batch, where each has `batch_size` of them, the last one fewer."""
    return [range(start, min(start + batch_size, samples)) for start in range(0, samples, batch_size)]


def cut_by_size(sizes: Sequence[tuple[int, int]], batch_size: int) -> list[range]:
    """The images of every batch, where each has neighbours of equal height and width, at most `batch_size` of them."""
    cuts: list[range] = []
    for index, size in enumerate(sizes):
        if cuts and len(cuts[-1]) < batch_size and sizes[cuts[-1].start] == size:
            cuts[-1] = range(cuts[-1].start, index + 1)
        else:
            cuts.append(range(index, index + 1))
    return cuts
