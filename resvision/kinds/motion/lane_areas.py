"""Points inside the lanes of a scene, in the frame of the world, in metres.

Most points are answered by a grid over the lanes, whose cells know whether they lie wholly inside a lane or wholly
outside of all; those in cells that a border runs through are held against the polygons.

Glossary
    V  vehicles of a scene
    F  its frames
    L  its lanes
    m  points
"""

from collections.abc import Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from resvision.geometry.polygons import Edges, edges_of, inside_polygon, points_inside
from resvision.kinds.motion.scenes import Flags, Floats, Lane, Scene

CELL_M = 0.5
"""The side of a cell of the grid in metres."""
MOST_CELLS = 4_000_000
"""The most cells of a grid; a larger map has larger ones."""
_OUTSIDE, _INSIDE, _BORDER = 0, 1, 2


class LaneAreas(NamedTuple):
    """The areas of lanes.

    edges     of each lane's outline, which is its left border, and its right one backwards
    origin    the corner of the grid
    cell_m    the side of its cells
    cells     (rows, columns), along y and x: whether a cell is inside, outside, or neither
    """

    edges: tuple[Edges, ...]
    origin: Floats
    cell_m: float
    cells: NDArray[np.uint8]

    def contain(self, points: Floats) -> Flags:
        """Whether points (m, 2) lie in any of the lanes, (m,)."""
        columns, rows = np.floor((points - self.origin) / self.cell_m).T
        on_grid = (columns >= 0) & (rows >= 0) & (rows < self.cells.shape[0]) & (columns < self.cells.shape[1])
        states = np.full(len(points), _OUTSIDE, dtype=np.uint8)
        states[on_grid] = self.cells[rows[on_grid].astype(np.int64), columns[on_grid].astype(np.int64)]
        inside = states == _INSIDE
        border = np.flatnonzero(states == _BORDER)
        inside[border] = self.membership(points[border]).any(axis=1)
        return np.asarray(inside)

    def membership(self, points: Floats) -> Flags:
        """Whether points (m, 2) lie in each of the lanes, (m, L)."""
        return np.stack([points_inside(points, edges) for edges in self.edges], axis=1)


_AREAS: "WeakKeyDictionary[Scene, LaneAreas]" = WeakKeyDictionary()
_DRIVEN: "WeakKeyDictionary[Scene, Flags]" = WeakKeyDictionary()


def lane_areas(scene: Scene) -> LaneAreas:
    """The areas of a scene's lanes, of which there is one at least; worked out once for each scene."""
    if scene not in _AREAS:
        _AREAS[scene] = _areas(scene.lanes)
    return _AREAS[scene]


def driven_lanes(scene: Scene) -> Flags:
    """Whether each vehicle's centre is in each lane at each frame, (V, F, L); nowhere where it was not seen."""
    if scene not in _DRIVEN:
        driven = np.zeros((*scene.present.shape, len(scene.lanes)), dtype=np.bool_)
        if scene.lanes:
            driven[scene.present] = lane_areas(scene).membership(scene.positions[scene.present])
        _DRIVEN[scene] = driven
    return _DRIVEN[scene]


def _areas(lanes: Sequence[Lane]) -> LaneAreas:
    outlines = tuple(_outline(lane) for lane in lanes)
    every = np.concatenate(outlines)
    cell_m = max(CELL_M, float(np.sqrt(np.prod(np.ptp(every, axis=0) + 2 * CELL_M) / MOST_CELLS)))
    origin = every.min(axis=0) - cell_m
    columns, rows = (np.ceil((every.max(axis=0) + cell_m - origin) / cell_m)).astype(int).tolist()
    cells = np.full((rows, columns), _OUTSIDE, dtype=np.uint8)
    for outline in outlines:
        _mark(cells, (outline - origin) / cell_m)
    return LaneAreas(tuple(map(edges_of, outlines)), origin, cell_m, cells)


def _outline(lane: Lane) -> Floats:
    return np.concatenate([lane.left, lane.right[::-1]])


def _mark(cells: NDArray[np.uint8], outline: Floats) -> None:
    """Mark the cells inside one lane and on its border; `outline` is in cells."""
    first = np.floor(outline.min(axis=0)).astype(int) - 1
    columns, rows = (np.ceil(outline.max(axis=0)).astype(int) + 1 - first).tolist()
    part = cells[first[1] : first[1] + rows, first[0] : first[0] + columns]
    inside = inside_polygon(outline - first, *part.shape)
    border = _touched(outline - first, part.shape)
    part[inside & ~border] = _INSIDE
    part[border & (part != _INSIDE)] = _BORDER


def _touched(outline: Floats, shape: tuple[int, ...]) -> Flags:
    """The cells within half a cell of an outline, (rows, columns): all that it runs through, and some more."""
    along = np.roll(outline, -1, axis=0) - outline
    counts = np.ceil(2 * np.hypot(*along.T)).astype(int) + 1  # a point each half cell
    edges = np.repeat(np.arange(len(outline)), counts)
    shares = (np.arange(counts.sum()) - np.repeat(counts.cumsum() - counts, counts)) / counts[edges]
    points = outline[edges] + shares[:, None] * along[edges]
    touched = np.zeros(shape, dtype=np.bool_)
    for right in (-0.5, 0.5):
        for up in (-0.5, 0.5):
            columns, rows = np.floor(points + np.array([right, up])).astype(int).T
            touched[rows.clip(0, shape[0] - 1), columns.clip(0, shape[1] - 1)] = True
    return touched
