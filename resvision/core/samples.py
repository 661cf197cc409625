"""Samples and their readers, generic in the label: every data set is given as these. No torch.

A reader is generic in its target T: a class index (int) for classification, a mask for segmentation, and whatever a
task of your own wants.

Glossary
    mask  (H, W) uint8 class indices 0..K-1, VOID where nothing is judged
"""

from abc import ABC, abstractmethod
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import SettingsError, printable
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


class Timing(NamedTuple):
    """What a person asks of samples that are cut out of recordings, in seconds; None leaves it to the data set.

    frame_seconds    between two frames, where a recording does not say
    history_seconds  that are seen before the last frame
    horizon_seconds  that are predicted
    step_seconds     between two predicted steps
    start_seconds    between the samples of one thing
    """

    frame_seconds: float | None = None
    history_seconds: float | None = None
    horizon_seconds: float | None = None
    step_seconds: float | None = None
    start_seconds: float | None = None


class Drawing(NamedTuple):
    """What a person asks of samples that are drawn; None leaves it to the data set.

    metres_per_px  length of a pixel's side
    ahead          share of the drawing that lies ahead
    drawn_past     the way in which earlier frames are drawn, `fading` or `channels`
    drawn_seconds  of the history that are drawn; at 0 the present alone
    """

    metres_per_px: float | None = None
    ahead: float | None = None
    drawn_past: Literal["fading", "channels"] | None = None
    drawn_seconds: float | None = None


AS_RECORDED, AS_USUAL = Timing(), Drawing()
"""Where a person asks for nothing."""


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

    def recut(self, timing: Timing, drawing: Drawing) -> "Reader[T]":
        """The reader with its samples cut and drawn as a person asks; itself where nothing is asked.

        Raises SettingsError for what the data do not allow, and where samples are neither cut nor drawn.
        """
        asked = {**timing._asdict(), **drawing._asdict()}
        for name, value in asked.items():
            if value is not None:
                raise SettingsError(f"data.{name}: {printable(self.name)} holds no recordings; leave it out")
        return self

    def cut(self) -> tuple[Timing, Drawing]:
        """The times and the drawing of the samples, with nothing left open; all of it open where they are not cut."""
        return AS_RECORDED, AS_USUAL

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
        """The name of samples that splits keep together, such as the frames of one video; None for one on its own."""
        return None


def side_of(reader: Reader[T]) -> int | None:
    """Side in pixels of the square that a net is trained on, None where neither the view nor the set says one."""
    return reader.view.side_px or reader.crop_px
