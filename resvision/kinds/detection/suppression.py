"""Greedy suppression of boxes that overlap a better one, of the candidates that an exported net gives.

`detection.parts.suppression` does the same in torch; a test holds the two against each other.

Glossary
    B       candidates of an image
    groups  classes within which boxes suppress each other: each class for itself, all together, or as a person says
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resvision.geometry.boxes import iou
from resvision.kinds.detection.boxes import RawDetections

LARGEST_MOST = 100_000
"""The limit of the detections of an image, to which results are padded; no net here has as many candidates."""

APART_PX = 2.0**22
"""The distance between the boxes of two groups: more than any view has pixels, and exact in float64."""

AT_A_TIME = 256
"""The number of boxes that are held against one another at once; the best may already be all that are asked for."""


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """The rules by which candidates become detections.

    score   the score above which a candidate is looked at, 0..1
    iou     a box that overlaps a better one of its group by more is left out, 0..1
    most    the most detections of an image, of all classes together
    groups  the group of each class, K whole numbers; None for a group of each class. Equal numbers for all classes
            suppress over all of them
    """

    score: float
    iou: float
    most: int
    groups: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("score", "iou"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in 0..1, got {getattr(self, name)}")
        if not 1 <= self.most <= LARGEST_MOST:
            raise ValueError(f"most must lie in 1..{LARGEST_MOST:,}, got {self.most:,}")


def suppressed(candidates: RawDetections, rules: Suppression) -> RawDetections:
    """The detections among candidates (B,) in any order, the highest score first."""
    boxes, scores, labels = candidates
    places = np.flatnonzero(scores > rules.score)
    places = places[np.argsort(-scores[places], kind="stable")]
    groups = labels if rules.groups is None else np.array(rules.groups, dtype=np.int64)[labels]
    apart = boxes.astype(np.float64) + APART_PX * groups[:, None]  # in float64 the overlaps stay what they were
    kept: list[int] = []
    for first in range(0, len(places), AT_A_TIME):
        left = places[first : first + AT_A_TIME]
        if kept:  # boxes of an earlier part suppress those of this one
            left = left[~(iou(apart[kept], apart[left]) > rules.iou).any(axis=0)]
        kept += _greedy(apart, left, iou_=rules.iou, most=rules.most - len(kept))
        if len(kept) == rules.most:
            break
    return RawDetections(boxes[kept], scores[kept], labels[kept])


def _greedy(boxes: NDArray[np.float64], left: NDArray[np.int64], *, iou_: float, most: int) -> list[int]:
    """The first `most` of the places `left`, best first, that no better one which is kept overlaps too much."""
    overlaps = iou(boxes[left], boxes[left]) > iou_
    is_kept = np.ones(len(left), dtype=np.bool_)
    for place in range(len(left)):
        if is_kept[place]:
            is_kept[place + 1 :] &= ~overlaps[place, place + 1 :]
    kept: list[int] = left[is_kept][:most].tolist()
    return kept
