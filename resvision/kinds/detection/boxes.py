"""The boxes of one image as plain arrays: the truth that a reader gives, and what a net says of a view.

Glossary
    M      boxes of an image; there may be none
    boxes  (M, 4), x1 y1 x2 y2 in continuous pixels: (0, 0) is the corner of the first pixel, so that a box which covers
           that pixel alone is (0, 0, 1, 1)
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class BoxTargets(NamedTuple):
    """The true boxes of one image, in pixels of the upright image.

    boxes      (M, 4) float64
    labels     (M,) int64, indices of the set's classes, background apart
    crowd      (M,) regions of many objects (COCO's `iscrowd`): nothing is learned from them, and what is found in
               them is neither right nor wrong
    difficult  (M,) objects that VOC marks so: they are learned, and VOC's metric counts them neither way
    areas      (M,) float64, pixels of the object: of its outline where the file states it, or else of its box
    """

    boxes: Floats
    labels: Ints
    crowd: Flags
    difficult: Flags
    areas: Floats

    @classmethod
    def of(cls, boxes: Floats, labels: Ints) -> Self:
        """Targets of ordinary boxes: none a crowd, none difficult, their areas those of the boxes."""
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        flags = np.zeros(len(boxes), dtype=np.bool_)
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return cls(boxes, np.asarray(labels, dtype=np.int64), flags, flags.copy(), areas)

    def at(self, chosen: Ints | Flags) -> Self:
        """The boxes at these indices, or where the flags are set."""
        boxes, labels, crowd, difficult, areas = self
        return type(self)(boxes[chosen], labels[chosen], crowd[chosen], difficult[chosen], areas[chosen])


class RawDetections(NamedTuple):
    """The boxes that a net found in one view, the highest score first.

    boxes   (M, 4), in pixels of the view, or of the image once they are brought back to it
    scores  (M,) float32, 0..1
    labels  (M,) int64, indices of the model's classes, background apart
    """

    boxes: NDArray[np.floating]
    scores: NDArray[np.float32]
    labels: Ints
