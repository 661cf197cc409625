"""Manoeuvres of vehicles in the predicted time, told from their true paths by stated rules, the first that holds.

    stopped      it moves less than 1 m
    turn         its course over the last second differs by 15 degrees or more from the one at the start
    lane change  it crosses borders of lanes to one side more often than to the other; known where lanes are
    braking      its speed over the last second is lower than at the start, by 1 m/s for each second or more
    straight on  none of these

Glossary
    n  windows
    P  points of a path, one for each frame from the last observed one on
    L  lanes
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from resvision.geometry.frames import vectors_to_agent, wrapped
from resvision.kinds.motion.kinematics import Kinematics
from resvision.kinds.motion.lane_areas import driven_lanes
from resvision.kinds.motion.scenes import Flags, Floats, Lane, Scene
from resvision.kinds.motion.windows import STANDSTILL, Window

MANOEUVRES = ("straight on", "braking", "lane change", "turn", "stopped")
"""By their indices."""
STRAIGHT, BRAKING, LANE_CHANGE, TURN, STOPPED = range(len(MANOEUVRES))
UNKNOWN = -1
"""The vehicle was not seen at the end."""
STOPPED_M = 1.0
TURN_DEG = 15.0
BRAKING_MPS2 = 1.0


def manoeuvres(windows: Sequence[Window], motion: Kinematics) -> NDArray[np.int8]:
    """The index in MANOEUVRES of each window, (n,), or UNKNOWN."""
    named = zip(windows, motion.speed, motion.course, strict=True)
    return np.array([_manoeuvre(window, speed, course) for window, speed, course in named], dtype=np.int8)


def _manoeuvre(window: Window, speed: float, course: float) -> int:
    """The manoeuvre of one window; `speed` and `course` at its start, in the agent's frame."""
    scene, vehicle, first = window.scene, window.vehicle, window.frame
    last = first + window.span.future
    if last >= scene.frames or not scene.present[vehicle, last]:
        return UNKNOWN
    frames = first + np.flatnonzero(scene.present[vehicle, first : last + 1])
    path = scene.positions[vehicle, frames]
    if np.hypot(*(path[-1] - path[0])) < STOPPED_M:
        return STOPPED
    second = max(1, round(1 / scene.frame_seconds))
    at = np.searchsorted(frames, last - second).clip(max=len(frames) - 2)  # where the last second begins
    velocity = vectors_to_agent(path[-1] - path[at], window.pose()) / ((last - frames[at]) * scene.frame_seconds)
    last_speed = float(np.hypot(*velocity))
    turned = abs(float(wrapped(np.arctan2(velocity[1], velocity[0]) - course)))
    if last_speed >= STANDSTILL and turned >= np.deg2rad(TURN_DEG):
        return TURN
    if _changes_lane(scene, path, driven_lanes(scene)[vehicle, frames]):
        return LANE_CHANGE
    seconds = window.span.future * scene.frame_seconds
    return BRAKING if speed - last_speed >= BRAKING_MPS2 * seconds else STRAIGHT


def _changes_lane(scene: Scene, path: Floats, lanes: Flags) -> bool:
    """Whether a path (P, 2) crosses borders between lanes to one side more often than to the other.

    lanes  (P, L), those in which each point lies

    It leaves a lane for another one where no lane has both points, which tells crossings from the end of a lane and
    from lanes that overlap where roads meet.
    """
    known, shared = np.asarray(lanes.any(axis=1)), (lanes[:-1] & lanes[1:]).any(axis=1)
    leaves = np.flatnonzero(known[:-1] & known[1:] & ~shared)
    sides = 0
    for point in leaves.tolist():
        sides += _side(scene.lanes[int(lanes[point].argmax())], path[point], path[point + 1])
    return sides != 0


def _side(lane: Lane, start: Floats, end: Floats) -> int:
    """1 where a step crosses the left border of a lane, -1 its right one, 0 neither."""
    longer = 0.01 * (end - start)  # a step that ends on the border itself crosses it
    start, end = start - longer, end + longer
    return int(_crosses(lane.left, start, end)) - int(_crosses(lane.right, start, end))


def _crosses(line: Floats, start: Floats, end: Floats) -> bool:
    """Whether the segment between two points crosses a line (P, 2)."""
    tails, heads = line[:-1], line[1:]
    apart = _left_of(start, end, tails) != _left_of(start, end, heads)
    return bool((apart & (_left_of(tails, heads, start) != _left_of(tails, heads, end))).any())


def _left_of(tails: Floats, heads: Floats, points: Floats) -> Flags:
    """Whether points lie to the left of the lines through tails and heads, each (P, 2) or (2,)."""
    along, aside = heads - tails, points - tails
    return np.asarray(along[..., 0] * aside[..., 1] - along[..., 1] * aside[..., 0] > 0)
