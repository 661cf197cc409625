"""The road of a scene in few points: outlines of its surface, borders and centre lines of its lanes.

Glossary
    P  points of the road
    E  edges of outlines, or segments of lines, each between two points
"""

from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from resvision.kinds.motion.painting import Ints
from resvision.kinds.motion.scenes import Floats, Lane, Scene

TOLERANCE_M = 0.02
"""The distance by which a simplified line may leave the recorded one."""
CENTRE_POINTS = 20
"""The number of points of a centre line before it is simplified."""


class Road(NamedTuple):
    """The lanes of a scene, simplified, in the world's frame.

    points    (P, 2) metres, each once
    outlines  (E, 2) positions in `points`: edges of the lanes' outlines, which all turn to the left; where two lanes
              touch, their edges have cancelled each other
    borders   (E, 2) segments of the borders, each once
    centres   (E, 2) segments of the centre lines in the direction of driving
    """

    points: Floats
    outlines: Ints
    borders: Ints
    centres: Ints


_ROADS: "WeakKeyDictionary[Scene, Road]" = WeakKeyDictionary()


def road_of(scene: Scene) -> Road:
    """The road of a scene, which is worked out once for each."""
    road = _ROADS.get(scene)
    if road is None:
        road = _ROADS[scene] = _road(scene.lanes)
    return road


def _road(lanes: Sequence[Lane]) -> Road:
    lefts, rights = [_simplified(lane.left) for lane in lanes], [_simplified(lane.right) for lane in lanes]
    sides = zip(lefts, rights, strict=True)
    outlines = [_turned_left(np.concatenate([left, right[::-1], left[:1]])) for left, right in sides]
    lines = [outlines, [*lefts, *rights], [_simplified(centre_line(lane)) for lane in lanes]]
    segments = [np.concatenate([np.zeros((0, 2, 2)), *map(_segments, some)]) for some in lines]
    points, positions = np.unique(np.concatenate(segments).reshape(-1, 2), axis=0, return_inverse=True)
    counts = np.cumsum([len(some) for some in segments])[:-1]
    edges, borders, centres = np.split(positions.reshape(-1, 2).astype(np.intp), counts)
    return Road(points, _uncancelled(edges), np.unique(np.sort(borders, axis=1), axis=0), centres)


def centre_line(lane: Lane) -> Floats:
    """Points halfway between the borders of a lane, at the same shares of their lengths, (20, 2)."""
    shares = np.linspace(0, 1, CENTRE_POINTS)
    return np.asarray((_at_shares(lane.left, shares) + _at_shares(lane.right, shares)) / 2)


def _at_shares(line: Floats, shares: Floats) -> Floats:
    """The points at shares 0..1 of a line's length."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = shares * lengths[-1]
    return np.stack([np.interp(at, lengths, line[:, axis]) for axis in (0, 1)], axis=1)


def _simplified(line: Floats) -> Floats:
    """Few points of a line that keep within `TOLERANCE_M` of it, in whole centimetres (Douglas, Peucker 1973)."""
    line = np.round(line, 2)
    kept = np.zeros(len(line), bool)
    kept[[0, -1]] = True
    spans = [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        distances = _distances(line[first + 1 : last], line[first], line[last])
        farthest = int(distances.argmax())
        if distances[farthest] > TOLERANCE_M:
            middle = first + 1 + farthest
            kept[middle] = True
            spans += [(first, middle), (middle, last)]
    return np.asarray(line[kept])


def _distances(points: Floats, start: Floats, end: Floats) -> Floats:
    """Distances of points (P, 2) from the segment between two points, (P,)."""
    direction = end - start
    squared = float(direction @ direction)
    shares = ((points - start) @ direction / squared if squared else np.zeros(len(points))).clip(0, 1)
    return np.asarray(np.hypot(*(points - start - shares[:, None] * direction).T))


def _segments(line: Floats) -> Floats:
    """The segments of a line, (P - 1, 2, 2)."""
    return np.stack([line[:-1], line[1:]], axis=1)


def _turned_left(outline: Floats) -> Floats:
    """A closed outline, run counter-clockwise, so that lanes that overlap add up and never cancel each other."""
    x, y = (outline - outline[0]).T
    return outline if (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() >= 0 else outline[::-1]


def _uncancelled(edges: Ints) -> Ints:
    """The edges that remain once those that run to and fro between two points have been taken out in pairs."""
    pairs, of = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
    balance = np.bincount(of.ravel(), np.where(edges[:, 0] <= edges[:, 1], 1, -1), len(pairs)).astype(np.intp)
    kept = np.repeat(np.where(balance[:, None] < 0, pairs[:, ::-1], pairs), np.abs(balance), axis=0)
    return np.asarray(kept[kept[:, 0] != kept[:, 1]])
