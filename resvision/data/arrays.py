"""Readers over arrays, for sets that fit in memory and are not made of image files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError
from resvision.core.images import VOID
from resvision.core.samples import Mask, Reader, Sample
from resvision.core.views import View
from resvision.kinds.detection.boxes import BoxTargets

T = TypeVar("T")


@dataclass(kw_only=True)
class _InMemory(Reader[T]):
    """One split of a data set whose images lie in memory. Abstract.

    images  (H, W) grey or (H, W, 3) RGB each, uint8
    """

    name: str
    split: str
    classes: tuple[str, ...]
    view: View
    crop_px: int | None = None
    images: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.images)

    def source(self, index: int) -> str:
        """The image, as `name/split[index]`."""
        return f"{self.name}/{self.split}[{index}]"

    def content(self, index: int) -> bytes:
        """The pixels of the image."""
        image = self.images[index]
        return f"{image.shape}".encode() + image.tobytes()


@dataclass(kw_only=True)
class ArrayReader(_InMemory[int]):
    """One split of a data set whose images lie in memory, labelled with classes.

    images   (M, H, W) grey or (M, H, W, 3) RGB, uint8
    targets  class indices, (M,) int64
    """

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

    def __getitem__(self, index: int) -> Sample[int]:
        return Sample(self.images[index], self.target(index))

    def target(self, index: int) -> int:
        """The class index of sample `index`."""
        return int(self.targets[index])

    def stratum(self, index: int) -> int:
        """The class of sample `index`."""
        return self.target(index)


@dataclass(kw_only=True)
class MaskArrayReader(_InMemory[Mask]):
    """One split of a data set whose images and label maps lie in memory.

    images   (H, W) grey or (H, W, 3) RGB each, uint8
    masks    (H, W) each, uint8: 0..K-1, and VOID
    """

    masks: Sequence[NDArray[np.uint8]]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.masks):
            raise DataError(f"{self.name}/{self.split}: {len(self.images):,} images, but {len(self.masks):,} masks")
        for index, mask in enumerate(self.masks):
            wrong = mask[(mask >= len(self.classes)) & (mask != VOID)]
            if wrong.size:
                raise DataError(f"{self.source(index)}: label {wrong[0]} is not one of 0..{len(self.classes) - 1}")

    def __getitem__(self, index: int) -> Sample[Mask]:
        return Sample(self.images[index], self.masks[index])

    def target(self, index: int) -> NDArray[np.uint8]:
        """The mask of sample `index`, (H, W)."""
        return self.masks[index]

    def target_source(self, index: int) -> str:
        """The mask, as `name/split[index] mask`."""
        return f"{self.source(index)} mask"


@dataclass(kw_only=True)
class BoxArrayReader(_InMemory[BoxTargets]):
    """One split of a data set whose images and boxes lie in memory.

    images   (H, W) grey or (H, W, 3) RGB each, uint8
    boxes    in pixels of each image, inside it; labels are indices of `classes`
    """

    boxes: Sequence[BoxTargets]

    def __post_init__(self) -> None:
        if len(self.images) != len(self.boxes):
            raise DataError(f"{self.name}/{self.split}: {len(self.images):,} images, but boxes for {len(self.boxes):,}")
        for index, (image, targets) in enumerate(zip(self.images, self.boxes, strict=True)):
            if fault := _box_fault(targets, image.shape[0], image.shape[1], len(self.classes)):
                raise DataError(f"{self.source(index)}: {fault}")

    def __getitem__(self, index: int) -> Sample[BoxTargets]:
        return Sample(self.images[index], self.boxes[index])

    def target(self, index: int) -> BoxTargets:
        """The boxes of sample `index`."""
        return self.boxes[index]

    def target_source(self, index: int) -> str:
        """The boxes, as `name/split[index] boxes`."""
        return f"{self.source(index)} boxes"


def _box_fault(targets: BoxTargets, height: int, width: int, classes: int) -> str:
    """The first fault among the boxes of an image of these sides, in words; "" where there is none."""
    for label, (x1, y1, x2, y2) in zip(targets.labels.tolist(), targets.boxes.tolist(), strict=True):
        if not 0 <= label < classes:
            return f"label {label} is not one of 0..{classes - 1}"
        if not (0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height):
            return f"the box {x1:g} {y1:g} {x2:g} {y2:g} is empty or not inside the image of {width} x {height} pixels"
    return ""
