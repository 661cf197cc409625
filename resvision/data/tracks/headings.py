"""Headings of standing vehicles: where one is slower than STANDSTILL it keeps the heading with which it came.

Recorded headings follow from positions, and at standstill from their noise alone: stopped cars turn on the spot in
NGSIM. A window whose frame turned with them would turn its whole picture.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.motion.scenes import Flags, Floats, Scene
from resvision.kinds.motion.windows import STANDSTILL

OVER_SECONDS = 0.5
"""The time on either side over which a speed is taken from positions, where a file states none."""


def steadied(scene: Scene) -> Scene:
    """The scene whose standing vehicles keep their heading: that of the last frame in which they moved.

    Before its first move a vehicle has the heading that it moves off with; one that never moves that of its first
    frame.
    """
    moving = scene.present & (speeds_of(scene) >= STANDSTILL)
    frames = np.arange(scene.frames)
    last = np.maximum.accumulate(np.where(moving, frames, -1), axis=1)
    first = np.where(moving.any(axis=1), moving.argmax(axis=1), scene.present.argmax(axis=1))
    kept = np.where(last >= 0, last, first[:, None])
    headings = np.take_along_axis(scene.headings, kept, axis=1)
    return replace(scene, headings=np.where(scene.present, headings, 0.0))


def speeds_of(scene: Scene) -> Floats:
    """The speed of each vehicle at each frame, (V, F) metres a second; 0 where it is not seen.

    As the file states it, or else by the way from half a second before to half a second after, as far as it is seen.
    """
    if scene.speeds is not None:
        return np.where(scene.present, np.abs(scene.speeds), 0.0)
    reach = max(1, round(OVER_SECONDS / scene.frame_seconds)) if scene.frame_seconds else 1
    speeds = np.zeros(scene.present.shape)
    for vehicle, present in enumerate(scene.present):
        seen = np.flatnonzero(present)
        if len(seen) > 1 and scene.frame_seconds:
            speeds[vehicle, seen] = _speeds(scene.positions[vehicle], seen, present, reach) / scene.frame_seconds
    return speeds


def _speeds(positions: Floats, seen: NDArray[np.int64], present: Flags, reach: int) -> Floats:
    """Metres a frame at the seen frames of one vehicle."""
    before = seen[np.searchsorted(seen, seen - reach)]
    after = seen[np.searchsorted(seen, seen + reach, side="right") - 1]
    ways = np.linalg.norm(positions[after] - positions[before], axis=1)
    return np.asarray(ways / np.maximum(after - before, 1))
