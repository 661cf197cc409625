"""A reader over arrays: for sets that fit in memory and are not made of image files."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resvision.contracts import Sample
from resvision.core.errors import DataError
from resvision.core.images import Preprocess


@dataclass(kw_only=True)
class ArrayReader:
    """One split of a data set that lies in memory.

    images   (M, H, W) grey or (M, H, W, 3) RGB, uint8
    targets  class indices, (M,) int64
    """

    name: str
    split: str
    classes: tuple[str, ...]
    preprocess: Preprocess
    images: NDArray[np.uint8]
    targets: NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.targets):
            raise DataError(f"{self.name}/{self.split}: {len(self.images):,} images, but {len(self.targets):,} labels")
        if len(self.targets) and not 0 <= self.targets.min() <= self.targets.max() < len(self.classes):
            wrong = int(np.argmax((self.targets < 0) | (self.targets >= len(self.classes))))
            raise DataError(
                f"{self.source(wrong)}: label {self.targets[wrong]} is not one of 0..{len(self.classes) - 1}"
            )

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Sample:
        return Sample(self.images[index], self.target(index))

    def target(self, index: int) -> int:
        """Class index of sample `index`."""
        return int(self.targets[index])

    def source(self, index: int) -> str:
        """`name/split[index]`."""
        return f"{self.name}/{self.split}[{index}]"
