"""Samples chosen from the readers of a set, as a split of their own: from one reader, or from several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from resvision.core.samples import Reader, Sample
from resvision.core.views import View

T = TypeVar("T")


@dataclass(kw_only=True)
class Subset(Reader[T]):
    """Some samples of a reader as a split of their own; `indices`, (M,) int64, are theirs in the whole reader."""

    name: str
    split: str
    classes: tuple[str, ...]
    view: View
    crop_px: int | None = None
    whole: Reader[T]
    indices: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample[T]:
        return self.whole[int(self.indices[index])]

    def target(self, index: int) -> T:
        """The target of sample `index`."""
        return self.whole.target(int(self.indices[index]))

    def source(self, index: int) -> str:
        """The source of the image in the whole reader."""
        return self.whole.source(int(self.indices[index]))

    def target_source(self, index: int) -> str:
        """The source of the target in the whole reader."""
        return self.whole.target_source(int(self.indices[index]))

    def content(self, index: int) -> bytes | None:
        """The stored image in the whole reader."""
        return self.whole.content(int(self.indices[index]))

    def stratum(self, index: int) -> int | None:
        """The stratum of the sample in the whole reader."""
        return self.whole.stratum(int(self.indices[index]))

    def group(self, index: int) -> str | None:
        """The group of the sample in the whole reader."""
        return self.whole.group(int(self.indices[index]))


def subset(whole: Reader[T], split: str, indices: NDArray[np.int64], *, like: Reader[T] | None = None) -> Subset[T]:
    """Make samples of a reader a split of their own, with name, classes and view of `like`, or else of the reader."""
    shown = whole if like is None else like
    return Subset(
        name=shown.name,
        split=split,
        classes=shown.classes,
        view=shown.view,
        crop_px=shown.crop_px,
        whole=whole,
        indices=indices,
    )


class Selection(Reader[T]):
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
        reader, own_index = self._locate(index)
        return reader[own_index]

    def target(self, index: int) -> T:
        """The target of sample `index`."""
        reader, own_index = self._locate(index)
        return reader.target(own_index)

    def source(self, index: int) -> str:
        """The source of the image in its own reader."""
        reader, own_index = self._locate(index)
        return reader.source(own_index)

    def target_source(self, index: int) -> str:
        """The source of the target in its own reader."""
        reader, own_index = self._locate(index)
        return reader.target_source(own_index)

    def stratum(self, index: int) -> int | None:
        """The stratum of the sample in its own reader."""
        reader, own_index = self._locate(index)
        return reader.stratum(own_index)

    def group(self, index: int) -> str | None:
        """The group of the sample in its own reader."""
        reader, own_index = self._locate(index)
        return reader.group(own_index)

    def content(self, index: int) -> bytes | None:
        """The stored image in its own reader."""
        reader, own_index = self._locate(index)
        return reader.content(own_index)

    def _locate(self, index: int) -> tuple[Reader[T], int]:
        return self.readers[int(self._which[index])], int(self._indices[index])
