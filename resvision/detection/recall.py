"""The share of true boxes that regions cover: no net that looks at these regions finds the others.

Glossary
    M       true boxes of an image, crowd regions apart
    P       its regions, those of highest rank first
    number  the regions of each image that are looked at, those of highest rank; ALL stands for every one
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from resvision.geometry.boxes import iou
from resvision.kinds.detection.boxes import BoxTargets, Floats, Ints
from resvision.kinds.forms import Table

OVERLAPS = (0.5, 0.7)
"""Intersections over union from which a region covers a box."""

NUMBERS = (10, 50, 100, 200, 500, 1000, 2000, 5000)
ALL = -1


class Recall:
    """The boxes of a set, counted by the overlap with their best region, image by image.

    classes  names of the set's classes
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes
        self._overlaps: list[Floats] = []  # (M, numbers) each
        self._labels: list[Ints] = []
        self._most = 0

    def add(self, truth: BoxTargets, regions: Floats) -> None:
        """Count the boxes of one image and its regions (P, 4)."""
        counted = truth.at(~truth.crowd)
        self._overlaps.append(best_overlaps(counted.boxes, regions))
        self._labels.append(counted.labels)
        self._most = max(self._most, len(regions))

    def to_json(self) -> dict[str, Any]:
        """Plain data: the share of boxes that are covered, by number of regions and by class."""
        return {
            "boxes": len(self._every()),
            "recall": [
                {"regions": None if number == ALL else number} | self._shares(column, None)
                for column, number in self._columns()
            ],
            "classes": [
                {"class": name, "boxes": int((self._label_of_each() == label).sum())} | self._shares(-1, label)
                for label, name in enumerate(self._classes)
            ],
        }

    def tables(self) -> tuple[Table, Table]:
        """The shares by number of regions, and those of each class by all regions."""
        headings = tuple(f"IoU {overlap:g}" for overlap in OVERLAPS)
        title = f"Recall of {len(self._every()):,} true boxes"
        rows = [
            ("all" if number == ALL else f"{number:,}", *map(_percent, self._shares(column, None).values()))
            for column, number in self._columns()
        ]
        by_class = [
            (
                name,
                f"{(self._label_of_each() == label).sum():,}",
                *map(_percent, self._shares(-1, label).values()),
            )
            for label, name in enumerate(self._classes)
        ]
        return (
            Table(("regions of an image", *headings), rows, ("regions of an image", *headings), title),
            Table(("class", "boxes", *headings), by_class, ("boxes", *headings), "Recall by all regions"),
        )

    def _columns(self) -> list[tuple[int, int]]:
        """The columns that tell something, each with its number: those below the most regions of an image, and ALL."""
        return [
            (column, number) for column, number in enumerate((*NUMBERS, ALL)) if number == ALL or number < self._most
        ]

    def _shares(self, column: int, label: int | None) -> dict[str, float | None]:
        """The share of the boxes, of one class or of all, that are covered by each of OVERLAPS; None without boxes."""
        chosen = self._every()[:, column]
        if label is not None:
            chosen = chosen[self._label_of_each() == label]
        return {f"iou_{overlap}": float((chosen >= overlap).mean()) if len(chosen) else None for overlap in OVERLAPS}

    def _every(self) -> Floats:
        return np.concatenate([np.empty((0, len(NUMBERS) + 1)), *self._overlaps])

    def _label_of_each(self) -> Ints:
        return np.concatenate([np.empty(0, dtype=np.int64), *self._labels])


def best_overlaps(boxes: Floats, regions: Floats) -> Floats:
    """The overlap of each box (M, 4) with its best region, (M, numbers): a column for each of NUMBERS, and ALL."""
    if not len(regions):
        return np.zeros((len(boxes), len(NUMBERS) + 1))
    best = np.maximum.accumulate(iou(boxes, regions), axis=1)
    return np.asarray(best[:, [min(number, len(regions)) - 1 for number in NUMBERS] + [len(regions) - 1]])


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
