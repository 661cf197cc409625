"""Readers over arrays, for sets that fit in memory and are not made of image files."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError
from resvision.core.images import VOID
from resvision.core.samples import Mask, Reader, Sample
from resvision.core.views import View


@dataclass(kw_only=True)
class ArrayReader(Reader[int]):
    """One split of a data set whose images lie in memory, labelled with classes.

    images   (M, H, W) grey or (M, H, W, 3) RGB, uint8
    targets  class indices, (M,) int64
    """

    name: str
    split: str
    classes: tuple[str, ...]
    view: View
    crop_px: int | None = None
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

    def __getitem__(self, index: int) -> Sample[int]:
        return Sample(self.images[index], self.target(index))

    def target(self, index: int) -> int:
        """The class index of sample `index`."""
        return int(self.targets[index])

    def source(self, index: int) -> str:
        """The image, as `name/split[index]`."""
        return f"{self.name}/{self.split}[{index}]"

    def content(self, index: int) -> bytes:
        """The pixels of the image."""
        return _pixels(self.images[index])

    def stratum(self, index: int) -> int:
        """The class of sample `index`."""
        return self.target(index)


@dataclass(kw_only=True)
class MaskArrayReader(Reader[Mask]):
    """One split of a data set whose images and label maps lie in memory.

    images   (H, W) grey or (H, W, 3) RGB each, uint8
    masks    (H, W) each, uint8: 0..K-1, and VOID
    """

    name: str
    split: str
    classes: tuple[str, ...]
    view: View
    crop_px: int | None = None
    images: Sequence[NDArray[np.uint8]]
    masks: Sequence[NDArray[np.uint8]]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.masks):
            raise DataError(f"{self.name}/{self.split}: {len(self.images):,} images, but {len(self.masks):,} masks")
        for index, mask in enumerate(self.masks):
            wrong = mask[(mask >= len(self.classes)) & (mask != VOID)]
            if wrong.size:
                raise DataError(f"{self.source(index)}: label {wrong[0]} is not one of 0..{len(self.classes) - 1}")

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> Sample[Mask]:
        return Sample(self.images[index], self.masks[index])

    def target(self, index: int) -> NDArray[np.uint8]:
        """The mask of sample `index`, (H, W)."""
        return self.masks[index]

    def source(self, index: int) -> str:
        """The image, as `name/split[index]`."""
        return f"{self.name}/{self.split}[{index}]"

    def target_source(self, index: int) -> str:
        """The mask, as `name/split[index] mask`."""
        return f"{self.source(index)} mask"

    def content(self, index: int) -> bytes:
        """The pixels of the image."""
        return _pixels(self.images[index])


def _pixels(image: NDArray[np.uint8]) -> bytes:
    return f"{image.shape}".encode() + image.tobytes()
