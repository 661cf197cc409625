"""Samples of several readers of one set as one split."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from resvision.core.samples import Reader, Sample

T = TypeVar("T")


class Joined(Reader[T]):
    """Samples of several readers of one set as one split: sample i is `indices[i]` of reader number `which[i]`."""

    def __init__(
        self, like: Reader[T], readers: Sequence[Reader[T]], which: NDArray[np.int64], indices: NDArray[np.int64]
    ) -> None:
        self.name, self.split, self.classes = like.name, like.split, like.classes
        self.view = like.view
        self.crop_px = like.crop_px
        self.readers, self._which, self._indices = tuple(readers), which, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample[T]:
        reader, place = self._find(index)
        return reader[place]

    def target(self, index: int) -> T:
        """The target of sample `index`."""
        reader, place = self._find(index)
        return reader.target(place)

    def source(self, index: int) -> str:
        """The source of the image in its own reader."""
        reader, place = self._find(index)
        return reader.source(place)

    def target_source(self, index: int) -> str:
        """The source of the target in its own reader."""
        reader, place = self._find(index)
        return reader.target_source(place)

    def stratum(self, index: int) -> int | None:
        """The group of the sample in its own reader."""
        reader, place = self._find(index)
        return reader.stratum(place)

    def content(self, index: int) -> bytes | None:
        """The stored image in its own reader."""
        reader, place = self._find(index)
        return reader.content(place)

    def _find(self, index: int) -> tuple[Reader[T], int]:
        return self.readers[int(self._which[index])], int(self._indices[index])
