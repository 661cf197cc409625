"""Samples and their readers, generic in the label: every data set is given as these. No torch.

A reader is generic in its target T: a class index (int) for classification, a mask for segmentation, and whatever a
task of your own wants.

Glossary
    mask  (H, W) uint8 class indices 0..K-1, VOID where nothing is judged
"""

from abc import ABC, abstractmethod
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from resvision.core.views import View

T = TypeVar("T")
Mask = NDArray[np.uint8]


class Sample(NamedTuple, Generic[T]):
    """One labelled example.

    image   uint8 (H, W) grey or (H, W, C), decoded and oriented, at its stored size
    target  the answer that a net is to give for it
    """

    image: NDArray[np.uint8]
    target: T


class Reader(ABC, Generic[T]):
    """One split of a data set. Reading is random access and keeps no state, so workers may share a reader. Abstract.

    name     of the data set, or the folder as it was named
    split    train | test | val
    classes  in the order of their indices; empty where targets are no classes
    view     how the set's images are shown to a net, and its normalization
    crop_px  side of training crops, for a view that does not give all images one size
    """

    name: str
    split: str
    classes: tuple[str, ...]
    view: View
    crop_px: int | None = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample[T]: ...

    @abstractmethod
    def target(self, index: int) -> T:
        """The target of sample `index`; its image is not decoded."""

    @abstractmethod
    def source(self, index: int) -> str:
        """The source of image `index`: a path, or `name/split[index]`."""

    def target_source(self, index: int) -> str:
        """The source of target `index`: a file, with a line if need be; the image itself where its folder says it."""
        return self.source(index)

    def content(self, index: int) -> bytes | None:
        """Bytes that tell image `index` from others; None where they are those of the file that `source` names."""
        return None

    def stratum(self, index: int) -> int | None:
        """The group that a split is to divide evenly, such as the class; None where samples have no groups."""
        return None

    def group(self, index: int) -> str | None:
        """The name of samples that folds keep together, such as the frames of one video; None for one on its own."""
        return None


def side_of(reader: Reader[T]) -> int | None:
    """Side in pixels of the square that a net is trained on, None where neither the view nor the set says one."""
    return reader.view.side_px or reader.crop_px
