"""Roads of a scene as a raster shows them: borders and centre lines as thin boxes, surfaces by their outlines.

Glossary
    E  edges of outlines, or segments of lines
"""

from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from resvision.kinds.motion.scenes import Floats, Lane, Scene

TOLERANCE_M = 0.05
"""The distance by which a simplified line may leave the recorded one."""


class Road(NamedTuple):
    """The lanes of a scene, simplified, in the world's frame.

    outlines  (E, 2, 2) edges of all lanes' outlines, each from its first point to its second, all lanes turning alike
    borders   (E, 2, 2) segments of borders, each once
    centres   (E, 2, 2) segments of centre lines in the direction of driving
    """

    outlines: Floats
    borders: Floats
    centres: Floats


_ROADS: "WeakKeyDictionary[Scene, Road]" = WeakKeyDictionary()


def road_of(scene: Scene) -> Road:
    """The road of a scene, which is worked out once for each."""
    if scene not in _ROADS:
        _ROADS[scene] = _road(scene.lanes)
    return _ROADS[scene]


def _road(lanes: Sequence[Lane]) -> Road:
    outlines: list[Floats] = []
    borders: list[Floats] = []
    centres: list[Floats] = []
    for lane in lanes:
        left, right = simplified(lane.left), simplified(lane.right)
        outlines.append(_segments(_turned_left(np.concatenate([left, right[::-1], left[:1]]))))
        borders += [_segments(left), _segments(right)]
        centres.append(_segments(simplified(centre_line(lane))))
    return Road(_joined(outlines), _unique(_joined(borders)), _joined(centres))


def centre_line(lane: Lane, points: int = 20) -> Floats:
    """Points halfway between the borders of a lane, (points, 2), at the same shares of their lengths."""
    shares = np.linspace(0, 1, points)
    return np.asarray((_at_shares(lane.left, shares) + _at_shares(lane.right, shares)) / 2)


def simplified(line: Floats, tolerance: float = TOLERANCE_M) -> Floats:
    """The line (P, 2) with the fewest of its points that keep it within `tolerance` metres (Douglas, Peucker)."""
    kept = np.zeros(len(line), bool)
    kept[[0, -1]] = True
    spans = [(0, len(line) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        distances = _distances(line[first + 1 : last], line[first], line[last])
        farthest = int(distances.argmax())
        if distances[farthest] > tolerance:
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


def _turned_left(outline: Floats) -> Floats:
    """A closed outline, run counter-clockwise, so that lanes that overlap add up and never cancel each other."""
    x, y = outline.T
    return outline if (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() >= 0 else outline[::-1]


def _at_shares(line: Floats, shares: Floats) -> Floats:
    """The points at shares 0..1 of a line's length."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = shares * lengths[-1]
    return np.stack([np.interp(at, lengths, line[:, axis]) for axis in (0, 1)], axis=1)


def _segments(line: Floats) -> Floats:
    """The segments of a line, (P - 1, 2, 2)."""
    return np.stack([line[:-1], line[1:]], axis=1)


def _joined(parts: list[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros((0, 2, 2))


def _unique(segments: Floats) -> Floats:
    """Each segment once, whichever way it runs, as neighbours share borders; points are alike to a centimetre."""
    keys = np.round(segments, 2).reshape(-1, 4)
    backward = (keys[:, 0] > keys[:, 2]) | ((keys[:, 0] == keys[:, 2]) & (keys[:, 1] > keys[:, 3]))
    keys = np.where(backward[:, None], keys[:, [2, 3, 0, 1]], keys)
    _, first = np.unique(keys, axis=0, return_index=True)
    return np.asarray(segments[np.sort(first)])
