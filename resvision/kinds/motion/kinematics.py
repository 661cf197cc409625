"""Velocity, acceleration and yaw rate of vehicles at the last observed frame, as means over half a second.

nuScenes' devkit takes differences of frames half a second apart; at ten frames a second those of single frames would
be noise. Everything is in the agent's frame: x forward, y left, metres, radians counter-clockwise.

Glossary
    n  windows
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from resvision.geometry.frames import vectors_to_agent, wrapped
from resvision.kinds.motion.scenes import Floats
from resvision.kinds.motion.windows import MEAN_SECONDS, STANDSTILL, Window


class Kinematics(NamedTuple):
    """The motion of n vehicles; a number that cannot be told is 0.

    velocity      (n, 2) metres a second, over the last half second
    acceleration  (n,) metres a second squared along the course, since the half second before
    yaw_rate      (n,) radians a second by which the course turns, 0 where the vehicle stands
    """

    velocity: Floats
    acceleration: Floats
    yaw_rate: Floats

    @property
    def speed(self) -> Floats:
        """The magnitude of the velocity, (n,) metres a second."""
        return np.asarray(np.hypot(*self.velocity.T))

    @property
    def course(self) -> Floats:
        """The direction of the velocity, (n,) radians; ahead for a vehicle that stands, whose velocity has none."""
        return np.asarray(np.where(self.speed < STANDSTILL, 0.0, np.arctan2(self.velocity[:, 1], self.velocity[:, 0])))


def kinematics(windows: Sequence[Window]) -> Kinematics:
    """The motion of each window's vehicle, from the recording itself, whatever history a net is given."""
    velocity = np.stack([mean_velocity(window) for window in windows])
    earlier = [_earlier_velocity(window) for window in windows]
    known = np.array([before is not None for before in earlier], dtype=np.bool_)
    before = np.stack([np.zeros(2) if one is None else one for one in earlier])
    speed, speed_before = np.hypot(*velocity.T), np.hypot(*before.T)
    apart = np.array([half_second(window) * window.scene.frame_seconds for window in windows])
    drives = known & (np.minimum(speed, speed_before) >= STANDSTILL)
    turned = wrapped(np.arctan2(velocity[:, 1], velocity[:, 0]) - np.arctan2(before[:, 1], before[:, 0]))
    return Kinematics(
        velocity=velocity,
        acceleration=np.where(known, (speed - speed_before) / apart, 0.0),
        yaw_rate=np.where(drives, turned / apart, 0.0),
    )


def mean_velocity(window: Window) -> Floats:
    """The mean velocity over the last half second in the agent's frame, (2,) metres a second.

    Over as much of it as the vehicle was seen; where that is one frame, the speed that the file states, or none.
    """
    measured = _velocity_until(window, window.frame)
    if measured is not None:
        return measured
    speeds = window.scene.speeds
    return np.array([0.0 if speeds is None else float(speeds[window.vehicle, window.frame]), 0.0])


def half_second(window: Window) -> int:
    """The number of frames in half a second, at least one."""
    return max(1, round(MEAN_SECONDS / window.scene.frame_seconds))


def _earlier_velocity(window: Window) -> Floats | None:
    """The mean velocity over the half second before the last one; None where the vehicle was not seen for all of it."""
    last = window.frame - half_second(window)
    present = window.scene.present[window.vehicle]
    first = last - half_second(window)
    if first < 0 or not (present[first] and present[last]):
        return None
    return _velocity_until(window, last)


def _velocity_until(window: Window, last: int) -> Floats | None:
    """The mean velocity over the half second before a frame, in the agent's frame of the window; None where unknown."""
    scene, vehicle = window.scene, window.vehicle
    first = max(0, last - half_second(window))
    seen = np.flatnonzero(scene.present[vehicle, first:last])
    if not len(seen):
        return None
    earliest = first + int(seen[0])
    moved = scene.positions[vehicle, last] - scene.positions[vehicle, earliest]
    return vectors_to_agent(moved, window.pose()) / ((last - earliest) * scene.frame_seconds)
