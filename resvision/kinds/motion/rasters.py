"""Rasters: windows of traffic drawn from above, as nets see them.

The target stands where the view says, looks to the top, and everything is in its frame at the last observed frame.

`fading` has three channels, so that nothing hides anything else: the target in red, the others in green, the road in
blue; older boxes are darker, down to `OLDEST` of the newest's value, as in nuScenes' prediction rasters (Cui et al.,
https://arxiv.org/abs/1809.10732, draw so too). `channels` has the boxes of the others at each drawn frame, the latest
first, then the target's, then three of the road: surface, borders, and centre lines that are the brighter the more the
lane runs the target's way. The order is l5kit's (https://arxiv.org/abs/2006.14480); its road is a picture in RGB.

Glossary
    N  windows
    C  channels
    B  boxes of all windows
    E  edges of outlines or segments of lines
    P  points
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.views import Raster
from resvision.kinds.motion.filling import fill
from resvision.kinds.motion.painting import Boxes, Bytes, Ints, joined, paint
from resvision.kinds.motion.roads import road_of
from resvision.kinds.motion.scenes import Floats
from resvision.kinds.motion.windows import Window

Complex = NDArray[np.complex128]

OLDEST = 0.4
"""The value of the oldest box as a share of the newest's."""
SURFACE = 80
BORDER = 255
BORDER_M = 0.3
"""Width of a drawn border and centre line in metres; a pixel at least."""
TOGETHER = 16
"""Windows that are drawn in one go: fewer are slowed down by the calls, and many more do not fit a core's cache."""


def drawn(windows: Sequence[Window], view: Raster) -> Bytes:
    """The rasters of windows, (N, C, side, side) uint8: rows from the farthest ahead, columns from the left."""
    rasters = np.zeros((len(windows), view.channels, view.size_px, view.size_px), np.uint8)
    for start in range(0, len(windows), TOGETHER):
        some = windows[start : start + TOGETHER]
        _draw(some, view, rasters[start : start + len(some)])
    return rasters


def _draw(windows: Sequence[Window], view: Raster, rasters: Bytes) -> None:
    """Draw windows into their rasters, which are black."""
    channels, projection = layers(view), Projection.of(windows, view)
    road = Roads.of(windows, projection)
    edges, of = road.outlines
    fill(rasters[:, channels.surface], road.points, edges, of, value=SURFACE)
    canvas = rasters.reshape(-1, view.size_px, view.size_px)
    boxes = [_border_boxes(road, view), _vehicle_boxes(windows, projection, view)]
    if channels.centres is not None:
        boxes.append(_centre_boxes(road, view))
    paint(canvas, joined(boxes))


class Layers(NamedTuple):
    """The channels of what a raster shows; `others` and `target` are those of the newest frame."""

    others: int
    target: int
    surface: int
    borders: int
    centres: int | None


def layers(view: Raster) -> Layers:
    """The channels of a view."""
    if view.past == "fading":
        return Layers(others=1, target=0, surface=2, borders=2, centres=None)
    frames = view.history + 1
    return Layers(others=0, target=frames, surface=2 * frames, borders=2 * frames + 1, centres=2 * frames + 2)


class Projection(NamedTuple):
    """Where points of the world lie in the rasters of windows, as complex numbers: the column and i times the row.

    corner   the target's place
    origins  (N,) the targets in the world, x and i times y
    headings (N,) theirs
    factors  (N,) pixels a metre, turned
    """

    corner: complex
    origins: Complex
    headings: Floats
    factors: Complex

    @classmethod
    def of(cls, windows: Sequence[Window], view: Raster) -> "Projection":
        """The projection of windows."""
        poses = np.array([window.pose() for window in windows])
        origins = poses[:, 0] + 1j * poses[:, 1]
        corner = complex(view.size_px / 2, view.ahead * view.size_px)
        return cls(corner, origins, poses[:, 2], 1j * np.exp(1j * poses[:, 2]) / view.metres_per_px)

    def pixels(self, points: Floats, of: Ints) -> Complex:
        """Points (P, 2) of the world in the raster of the window `of` each, (P,)."""
        return np.asarray(self.corner - self.factors[of] * (_complex(points) - self.origins[of]).conj())

    def directions(self, headings: Floats, of: Ints) -> Complex:
        """Headings of the world as directions in the rasters, (B,) of length 1."""
        turned = headings - self.headings[of]
        return np.asarray(-np.sin(turned) - 1j * np.cos(turned))


# Vehicles ---------------------------------------------------------------------------------------------------------


def _vehicle_boxes(windows: Sequence[Window], projection: Projection, view: Raster) -> Boxes:
    """The boxes of all vehicles at all drawn frames."""
    channels, oldest = layers(view), max(view.history, 1)
    values = 255 * (1 - (1 - OLDEST) * np.arange(view.history + 1) / oldest)
    parts = []
    for number, window in enumerate(windows):
        scene, frames = window.scene, drawn_frames(window.frame, view)
        present = scene.present[:, frames]
        vehicle, frame = np.nonzero(present)
        parts.append((
            scene.positions[:, frames][vehicle, frame],
            scene.headings[:, frames][vehicle, frame],
            scene.sizes[vehicle],
            present.shape[1] - 1 - frame,
            np.where(vehicle == window.vehicle, channels.target, channels.others) + view.channels * number,
            np.full(len(vehicle), number),
        ))  # fmt: skip
    positions, headings, sizes, ages, planes, of = map(np.concatenate, zip(*parts, strict=True))
    halves = np.sort(sizes, axis=1) / (2 * view.metres_per_px)
    directions = projection.directions(headings, of)
    directions = np.where(sizes[:, 0] < sizes[:, 1], 1j * directions, directions)
    value = values[ages]
    if view.past == "channels":
        value, planes = np.full(len(ages), 255.0), planes + ages
    return Boxes(projection.pixels(positions, of), directions, halves[:, 1], halves[:, 0], value, planes)


def drawn_frames(last: int, view: Raster) -> slice:
    """The frames that are drawn up to the last observed one, oldest first, of those that a scene has."""
    oldest = last - view.every * view.history
    return slice(oldest if oldest >= 0 else last % view.every, last + 1, view.every)


# Roads --------------------------------------------------------------------------------------------------------------


class Roads(NamedTuple):
    """The roads of several windows in their rasters; positions in `points` and the window of each edge or segment.

    points                      (P,) column and i times row
    outlines, borders, centres  (E, 2) and (E,)
    """

    points: Complex
    outlines: tuple[Ints, Ints]
    borders: tuple[Ints, Ints]
    centres: tuple[Ints, Ints]

    @classmethod
    def of(cls, windows: Sequence[Window], projection: Projection) -> "Roads":
        """The roads of windows."""
        roads = [road_of(window.scene) for window in windows]
        counts = np.array([len(road.points) for road in roads])
        begins = np.cumsum(counts) - counts
        points = np.concatenate([road.points for road in roads])

        def numbered(parts: list[Ints]) -> tuple[Ints, Ints]:
            of = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
            return np.concatenate(parts) + begins[of, None], of

        return cls(
            projection.pixels(points, np.repeat(np.arange(len(roads)), counts)),
            numbered([road.outlines for road in roads]),
            numbered([road.borders for road in roads]),
            numbered([road.centres for road in roads]),
        )


def _border_boxes(road: Roads, view: Raster) -> Boxes:
    """The borders of lanes as thin boxes."""
    segments, of = road.borders
    return _line_boxes(road.points[segments], of * view.channels + layers(view).borders, view, float(BORDER))


def _centre_boxes(road: Roads, view: Raster) -> Boxes:
    """The centre lines as thin boxes: bright where the lane runs the target's way, dark where it runs against it."""
    segments, of = road.centres
    channel = layers(view).centres
    assert channel is not None
    boxes = _line_boxes(road.points[segments], of * view.channels + channel, view, 255.0)
    return boxes._replace(values=255 * (0.7 - 0.3 * boxes.directions.imag))


def _line_boxes(segments: Complex, planes: Ints, view: Raster, value: float) -> Boxes:
    """Segments (E, 2) in pixels as boxes that overlap a little, so that no joint shows."""
    along = segments[:, 1] - segments[:, 0]
    lengths = np.abs(along).clip(min=1e-9)
    half = max(BORDER_M / view.metres_per_px, 1.0) / 2
    widths, values = np.full(len(along), half), np.full(len(along), value)
    return Boxes(segments.mean(axis=1), along / lengths, lengths / 2 + half, widths, values, planes)


def _complex(points: Floats) -> Complex:
    return np.asarray(points[:, 0] + 1j * points[:, 1])
