"""Predictions that need no training, which every table of scores has beside those of a net.

They look at the recording itself, a fixed time back, however much history a net is given: so the same windows have
the same baselines in every run. Everything is in the agent's frame at the last observed frame: x forward, y left, in
metres.

Glossary
    n  windows
    T  predicted steps
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from resvision.geometry.frames import vectors_to_agent
from resvision.kinds.motion.scenes import Floats
from resvision.kinds.motion.windows import Window

MEAN_SECONDS = 0.5
"""Velocities are means over this time before the last observed frame."""
CONSTANT_VELOCITY = "constant velocity"


class Baseline(NamedTuple):
    """The prediction of a baseline for windows: its name, and its positions (n, T, 2) in the agent's frame."""

    name: str
    positions: Floats


def step_times(window: Window) -> Floats:
    """The times of the predicted steps after the last observed frame, in seconds, (T,)."""
    return np.asarray(window.step_seconds * np.arange(1, window.span.steps + 1))


def constant_velocity(windows: Sequence[Window]) -> Floats:
    """Positions (n, T, 2) at the mean velocity of the last half second."""
    velocities = np.stack([mean_velocity(window) for window in windows])
    return np.asarray(velocities[:, None] * step_times(windows[0])[:, None])


def mean_velocity(window: Window) -> Floats:
    """The mean velocity over the last half second in the agent's frame, (2,) metres a second.

    Over as much of it as the vehicle was seen; where that is one frame, the speed that the file states, or none.
    """
    scene, vehicle, frame = window.scene, window.vehicle, window.frame
    back = max(1, round(MEAN_SECONDS / scene.frame_seconds))
    first = max(0, frame - back)
    seen = np.flatnonzero(scene.present[vehicle, first:frame])
    if not len(seen):
        return np.array([0.0 if scene.speeds is None else scene.speeds[vehicle, frame], 0.0])
    earliest = first + int(seen[0])
    moved = scene.positions[vehicle, frame] - scene.positions[vehicle, earliest]
    return vectors_to_agent(moved, window.pose()) / ((frame - earliest) * scene.frame_seconds)


def baselines(windows: Sequence[Window]) -> list[Baseline]:
    """The predictions of all baselines for windows of one span, constant velocity first."""
    return [Baseline(CONSTANT_VELOCITY, constant_velocity(windows))]
