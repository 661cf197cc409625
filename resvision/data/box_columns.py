"""The boxes of all images of a split as columns, and how they are gathered from files: no object stands for a box.

Glossary
    N      images of a split
    B      boxes of all its images together; those of one image lie side by side
    own    as a file has it: a label before the classes of all splits are settled by name
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.detection.boxes import BoxTargets, Flags, Floats, Ints

NO_LABEL = -1
"""Stands in place of a label where a file gives an id that no class has."""


@dataclass(frozen=True, kw_only=True)
class BoxColumns:
    """The boxes of N images.

    ends       (N + 1,) the boxes of image i are ends[i] .. ends[i + 1]
    boxes      (B, 4) float64 xyxy, in pixels, or in shares of width and height
    labels     (B,) int64, NO_LABEL for an id that no class has
    crowd      (B,) regions of many objects
    difficult  (B,) objects that VOC marks so
    areas      (B,) float64 pixels of the object, NaN where the file states none
    lines      (B,) int64: where the box stands, a line of its file or the id of its annotation
    """

    ends: Ints
    boxes: Floats
    labels: Ints
    crowd: Flags
    difficult: Flags
    areas: Floats
    lines: Ints

    def __len__(self) -> int:
        return len(self.ends) - 1

    @property
    def counts(self) -> Ints:
        """The number of boxes of each image, (N,)."""
        return np.diff(self.ends)

    @property
    def images(self) -> Ints:
        """The index of the image of each box, (B,)."""
        return np.repeat(np.arange(len(self)), self.counts)

    def targets(self, index: int) -> BoxTargets:
        """The boxes of image `index`; an area that the file does not state is that of the box."""
        part = slice(self.ends[index], self.ends[index + 1])
        boxes, areas = self.boxes[part], self.areas[part]
        of_boxes = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        stated = np.where(np.isnan(areas), of_boxes, areas)
        return BoxTargets(boxes, self.labels[part], self.crowd[part], self.difficult[part], stated)

    @classmethod
    def joined(cls, columns: Sequence[Self]) -> Self:
        """The columns of all images, one sequence after the other."""
        counts = np.concatenate([part.counts for part in columns])
        return cls(
            ends=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            boxes=np.concatenate([part.boxes for part in columns]),
            labels=np.concatenate([part.labels for part in columns]),
            crowd=np.concatenate([part.crowd for part in columns]),
            difficult=np.concatenate([part.difficult for part in columns]),
            areas=np.concatenate([part.areas for part in columns]),
            lines=np.concatenate([part.lines for part in columns]),
        )

    def where(self, kept: Flags) -> Self:
        """The columns with the boxes that are `kept`, (B,), alone; the images stay."""
        counts = np.bincount(self.images[kept], minlength=len(self))
        return self._at(np.flatnonzero(kept), counts)

    def of_images(self, indices: Ints) -> Self:
        """The columns of the images at these indices, in their order."""
        counts = self.counts[indices]
        first = np.repeat(self.ends[indices] - np.cumsum(counts) + counts, counts)
        return self._at(first + np.arange(counts.sum()), counts)

    def _at(self, rows: Ints, counts: NDArray[np.int64]) -> Self:
        return replace(
            self,
            ends=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            boxes=self.boxes[rows],
            labels=self.labels[rows],
            crowd=self.crowd[rows],
            difficult=self.difficult[rows],
            areas=self.areas[rows],
            lines=self.lines[rows],
        )


class Row(NamedTuple):
    """A box as a file states it; `line` is its line."""

    x1: float
    y1: float
    x2: float
    y2: float
    label: int
    line: int
    difficult: bool = False


class Gathering:
    """Columns that grow by the boxes of one image after the other."""

    def __init__(self) -> None:
        self._ends = array("q", [0])
        self._boxes, self._labels, self._lines = array("d"), array("q"), array("q")
        self._difficult = array("b")

    def add(self, rows: list[Row]) -> None:
        """Add the boxes of the next image."""
        for row in rows:
            self._boxes.extend(row[:4])
            self._labels.append(row.label)
            self._lines.append(row.line)
            self._difficult.append(row.difficult)
        self._ends.append(len(self._labels))

    def columns(self) -> BoxColumns:
        """The columns of all images added."""
        count = len(self._labels)
        return BoxColumns(
            ends=np.array(self._ends, dtype=np.int64),
            boxes=np.array(self._boxes, dtype=np.float64).reshape(-1, 4),
            labels=np.array(self._labels, dtype=np.int64),
            crowd=np.zeros(count, dtype=np.bool_),
            difficult=np.array(self._difficult, dtype=np.bool_),
            areas=np.full(count, np.nan),
            lines=np.array(self._lines, dtype=np.int64),
        )
