"""Trajectories that leave the lanes of a scene, after OffRoadRate of nuScenes' prediction challenge.

A trajectory is off the road where the centre of the vehicle is in no lane at one step or more. nuScenes asks its map
for drivable areas; here they are the lanes that the recording names, so a hard shoulder is off the road.

Glossary
    n  windows
    M  modes
    T  predicted steps
    S  horizons
"""

from collections.abc import Sequence

import numpy as np

from resvision.geometry.frames import world_from_agent
from resvision.kinds.motion.lane_areas import lane_areas
from resvision.kinds.motion.metrics import AnyFloats, Flags, Floats, Horizon, by_probability
from resvision.kinds.motion.scenes import Scene
from resvision.kinds.motion.windows import Window


def outside_lanes(positions: AnyFloats, windows: Sequence[Window]) -> Flags:
    """Whether positions (n, M, T, 2) in the agents' frames lie in no lane, (n, M, T); False where no lane is known."""
    outside = np.zeros(positions.shape[:3], dtype=np.bool_)
    of_scene: dict[Scene, list[int]] = {}
    for row, window in enumerate(windows):
        if window.scene.lanes:
            of_scene.setdefault(window.scene, []).append(row)
    for scene, rows in of_scene.items():  # the points of a scene together: a call for each window would cost the time
        points = np.stack([world_from_agent(positions[row], windows[row].pose()) for row in rows])
        outside[rows] = ~lane_areas(scene).contain(points.reshape(-1, 2)).reshape(points.shape[:3])
    return outside


def off_road(outside: Flags, probabilities: AnyFloats, known: Flags, horizons: Sequence[Horizon]) -> Floats:
    """Whether the most probable mode, and the share of all modes that, leaves the lanes up to a horizon, (n, S, 2).

    outside  (n, M, T), whether a mode is in no lane at a step
    known    (n,), windows whose lanes are known; NaN for the others
    """
    columns = [horizon.steps - 1 for horizon in horizons]
    left = np.maximum.accumulate(outside, axis=2)[..., columns]  # (n, M, S)
    first = by_probability(probabilities)[:, 0]
    rates = np.stack([left[np.arange(len(left)), first], left.mean(axis=1)], axis=-1)
    return np.where(known[:, None, None], rates, np.nan)
