"""Clusters of boxes by shape, from which YOLOv2 has its anchors: k-means with 1 - IoU as distance.

Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242, section 2, "Dimension Clusters": boxes are compared as though
they had one centre, so that large ones do not count more than small ones, as they would by Euclid's distance. The paper
leaves open how clusters begin: here by k-means++, whose draws are counted, several times, and once more from the best
clusters of one less with the worst shape added, so that more clusters never fit worse. A centre moves to the mean of
its boxes, and in a second search to their median, which is nearer to them by this distance more often than not.

Glossary
    M, S    boxes and clusters
    sides   (M, 2) float64, width and height of boxes, above 0
    shapes  (S, 2) float64, width and height of the clusters' centres
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import order, uniform

Floats = NDArray[np.float64]

STARTS = 5
MOST_MOVES = 100
"""The moves of the centres after which a search ends, though some boxes may still change their cluster."""

MOST_BOXES = 10_000
"""The most boxes that are searched over; of more, so many are drawn. Overlaps are then stated for all."""


class Clusters(NamedTuple):
    """The clusters of a number.

    shapes    (S, 2), the smallest area first
    mean_iou  0..1, the mean over all boxes of the overlap with the shape that is nearest
    """

    shapes: Floats
    mean_iou: float


def shape_iou(sides: Floats, shapes: Floats) -> Floats:
    """Intersection over union of every box and every shape about one centre, (M, S)."""
    common = np.minimum(sides[:, None, 0], shapes[:, 0]) * np.minimum(sides[:, None, 1], shapes[:, 1])
    return np.asarray(common / (sides.prod(axis=1)[:, None] + shapes.prod(axis=1) - common))


def mean_best_iou(sides: Floats, shapes: Floats) -> float:
    """The mean over boxes of the overlap with the shape that overlaps each most, 0..1."""
    return float(shape_iou(sides, shapes).max(axis=1).mean())


def clusters(sides: Floats, most: int, *, seed: int = 0) -> list[Clusters]:
    """The best clusters that were found of every number from 1 to `most`; ValueError for fewer distinct shapes."""
    distinct = len(np.unique(sides, axis=0))
    if distinct < most:
        raise ValueError(f"{len(sides):,} boxes have {distinct:,} different shapes, too few for {most:,} clusters")
    searched = sides if len(sides) <= MOST_BOXES else sides[np.sort(order(seed, 0, len(sides))[:MOST_BOXES])]
    most = min(most, len(np.unique(searched, axis=0)))
    results: list[Clusters] = []
    shapes = np.empty((0, 2))
    for count in range(1, most + 1):
        draws = uniform(seed, count, np.arange(STARTS), count)
        starts = [_start(searched, row) for row in draws]
        starts.append(np.concatenate([shapes, searched[_worst(searched, shapes)][None]]))
        found = [_moved(searched, start, middle) for start in starts for middle in (_mean, _median)]
        shapes = max(found, key=lambda centres: mean_best_iou(searched, centres))
        by_area = shapes[np.argsort(shapes.prod(axis=1), kind="stable")]
        results.append(Clusters(by_area, mean_best_iou(sides, by_area)))
    return results


def _start(sides: Floats, draws: Floats) -> Floats:
    """The first centres, one for each draw: boxes, each drawn by its distance from those before (k-means++)."""
    centres = sides[[int(draws[0] * len(sides))]]
    distances = 1 - shape_iou(sides, centres)[:, 0]
    for draw in draws[1:]:
        sums = np.cumsum(distances)
        index = min(int(np.searchsorted(sums, draw * sums[-1], side="right")), len(sides) - 1)
        centres = np.concatenate([centres, sides[[index]]])
        distances = np.minimum(distances, 1 - shape_iou(sides, centres[-1:])[:, 0])
    return centres


def _worst(sides: Floats, shapes: Floats) -> int:
    """The box that the shapes overlap least; the first where there are none."""
    return int(shape_iou(sides, shapes).max(axis=1, initial=0.0).argmin())


def _moved(sides: Floats, centres: Floats, middle: Callable[[Floats], Floats]) -> Floats:
    """The best centres on the way of k-means from these, each move to the middle of the boxes that are nearest.

    A middle need not be nearer to them by this distance, so that the last centres need not be the best.
    """
    best, best_iou = centres, -1.0
    nearest = np.full(len(sides), -1)
    for _ in range(MOST_MOVES):
        overlaps = shape_iou(sides, centres)
        now = overlaps.argmax(axis=1)
        mean_iou = float(overlaps.max(axis=1).mean())
        if mean_iou > best_iou:
            best, best_iou = centres, mean_iou
        if (now == nearest).all():
            break
        nearest = now
        members = [sides[nearest == number] for number in range(len(centres))]
        # A centre without boxes stays.
        centres = np.stack([middle(some) if len(some) else old for some, old in zip(members, centres, strict=True)])
    return best


def _mean(sides: Floats) -> Floats:
    return np.asarray(sides.mean(axis=0))


def _median(sides: Floats) -> Floats:
    return np.asarray(np.median(sides, axis=0))
