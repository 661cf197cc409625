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
    D  drawn frames of a window
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.views import Raster
from resvision.kinds.motion.filling import filled
from resvision.kinds.motion.painting import Boxes, Ints, paint
from resvision.kinds.motion.roads import Road, road_of
from resvision.kinds.motion.scenes import Floats
from resvision.kinds.motion.windows import Window

OLDEST = 0.4
"""The value of the oldest box as a share of the newest's."""
SURFACE = 80
BORDER = 255
BORDER_M = 0.3
"""Width of a drawn border and centre line in metres; a pixel at least."""
TOGETHER = 4
"""Windows that are drawn in one go: more do not fit a core's cache, fewer are slowed down by the calls."""


def drawn(windows: Sequence[Window], view: Raster) -> NDArray[np.uint8]:
    """The rasters of windows, (N, C, side, side) uint8: rows from the farthest ahead, columns from the left."""
    rasters = np.zeros((len(windows), view.channels, view.size_px, view.size_px), np.uint8)
    for start in range(0, len(windows), TOGETHER):
        some = windows[start : start + TOGETHER]
        _draw(some, view, rasters[start : start + len(some)])
    return rasters


def _draw(windows: Sequence[Window], view: Raster, rasters: NDArray[np.uint8]) -> None:
    """Draw windows into their rasters, which are black."""
    roads = [road_of(window.scene) for window in windows]
    _draw_surfaces(windows, roads, view, rasters)
    canvas = rasters.reshape(-1, view.size_px, view.size_px)
    paint(canvas, _border_boxes(windows, roads, view), run=4)
    if view.past == "channels":
        paint(canvas, _centre_boxes(windows, roads, view), run=4)
    paint(canvas, _vehicle_boxes(windows, view))


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


# Vehicles ---------------------------------------------------------------------------------------------------------


def _vehicle_boxes(windows: Sequence[Window], view: Raster) -> Boxes:
    """The boxes of all vehicles at all drawn frames."""
    ages = np.arange(view.history + 1)
    if view.past == "fading":
        values, steps = 255 * (1 - (1 - OLDEST) * ages / max(view.history, 1)), np.zeros_like(ages)
    else:
        values, steps = np.full(len(ages), 255.0), ages
    channels = layers(view)
    parts: list[tuple[Floats, ...]] = []
    planes: list[Ints] = []
    for number, window in enumerate(windows):
        scene = window.scene
        frames = window.frame - view.every * ages
        drawn_frames = frames.clip(min=0)
        vehicle, age = np.nonzero(scene.present[:, drawn_frames] & (frames >= 0))
        frame = drawn_frames[age]
        parts.append((scene.positions[vehicle, frame], scene.headings[vehicle, frame], scene.sizes[vehicle], values[age],
                      np.full(len(vehicle), number)))  # fmt: skip
        channel = np.where(vehicle == window.vehicle, channels.target, channels.others) + steps[age]
        planes.append(number * view.channels + channel)
    positions, headings, sizes, value, of = (np.concatenate(part) for part in zip(*parts, strict=True))
    columns, rows = _pixels(windows, view, positions, of.astype(np.intp))
    turned = headings - _headings(windows)[of.astype(np.intp)]
    halves = sizes.T / (2 * view.metres_per_px)
    # The length points up at the target's own heading and turns to the left, against the columns.
    return Boxes(columns, rows, -np.sin(turned), -np.cos(turned), halves[0], halves[1], value, np.concatenate(planes))


# Roads --------------------------------------------------------------------------------------------------------------


def _draw_surfaces(windows: Sequence[Window], roads: Sequence[Road], view: Raster, rasters: NDArray[np.uint8]) -> None:
    """Draw the surfaces of the roads into their channel."""
    edges, of = _gathered([road.outlines for road in roads])
    if len(edges):
        pixels = _segment_pixels(windows, view, edges, of)
        shares = filled(pixels, of, count=len(windows), side=view.size_px)
        rasters[:, layers(view).surface] = shares * SURFACE + 0.5


def _border_boxes(windows: Sequence[Window], roads: Sequence[Road], view: Raster) -> Boxes:
    """The borders of lanes as thin boxes."""
    segments, of = _gathered([road.borders for road in roads])
    planes = of * view.channels + layers(view).borders
    return _line_boxes(_segment_pixels(windows, view, segments, of), np.full(len(of), float(BORDER)), planes, view)


def _centre_boxes(windows: Sequence[Window], roads: Sequence[Road], view: Raster) -> Boxes:
    """The centre lines as thin boxes: bright where the lane runs the target's way, dark where it runs against it."""
    segments, of = _gathered([road.centres for road in roads])
    channel = layers(view).centres
    assert channel is not None
    pixels = _segment_pixels(windows, view, segments, of)
    ahead = pixels[:, 0, 1] - pixels[:, 1, 1]
    cosines = ahead / np.hypot(*(pixels[:, 1] - pixels[:, 0]).T).clip(min=1e-9)
    return _line_boxes(pixels, 255 * (0.7 + 0.3 * cosines), of * view.channels + channel, view)


def _line_boxes(segments: Floats, values: Floats, planes: Ints, view: Raster) -> Boxes:
    """Segments (E, 2, 2) in pixels as boxes that overlap a little, so that no joint shows."""
    middles, along = segments.mean(axis=1), segments[:, 1] - segments[:, 0]
    lengths = np.hypot(*along.T)
    directions = along / lengths.clip(min=1e-9)[:, None]
    half = max(BORDER_M / view.metres_per_px, 1.0) / 2
    widths = np.full(len(segments), half)
    (columns, rows), (cosines, sines) = middles.T, directions.T
    return Boxes(columns, rows, cosines, sines, lengths / 2 + half, widths, values, planes)


def _gathered(parts: Sequence[Floats]) -> tuple[Floats, Ints]:
    """Segments of all windows, and the window of each."""
    return np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])


# Places in a raster -----------------------------------------------------------------------------------------------


def _segment_pixels(windows: Sequence[Window], view: Raster, segments: Floats, of: Ints) -> Floats:
    """Segments (E, 2, 2) of the world as columns and rows; `of` is the window of each."""
    columns, rows = _pixels(windows, view, segments.reshape(-1, 2), np.repeat(of, 2))
    return np.stack([columns, rows], axis=1).reshape(-1, 2, 2)


def _pixels(windows: Sequence[Window], view: Raster, points: Floats, of: Ints) -> tuple[Floats, Floats]:
    """Columns and rows of points (B, 2) of the world; `of` is the window of each."""
    headings = _headings(windows)
    cosines, sines = np.cos(headings)[of], np.sin(headings)[of]
    x, y = (points - np.array([window.pose()[:2] for window in windows])[of]).T
    side, metres = view.size_px, view.metres_per_px
    ahead, left = x * cosines + y * sines, y * cosines - x * sines
    return side / 2 - left / metres, view.ahead * side - ahead / metres


def _headings(windows: Sequence[Window]) -> Floats:
    """The headings of the windows' frames in the world, (N,)."""
    return np.array([window.pose().heading for window in windows])
