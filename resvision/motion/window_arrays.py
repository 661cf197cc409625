"""The pasts and futures of several windows as arrays: those of `Window`, worked out for all of them together.

A window alone takes a third of a millisecond, for which a batch has no time. Everything is in the agents' frames, in
metres, x forward, y left, and radians, counter-clockwise. Numbers are 0 where a vehicle was not seen.

Glossary
    N  windows of one span
    F  seen frames, oldest first, the last observed one at the end
    T  predicted steps
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.geometry.frames import wrapped
from resvision.kinds.motion.scenes import Flags, Floats
from resvision.kinds.motion.windows import MEAN_SECONDS, Window

LATEST = 3
"""Frames by which speed, acceleration and yaw rate are told."""


class Pasts(NamedTuple):
    """The vehicles themselves over their seen frames.

    positions  (N, F, 2)
    headings   (N, F) from the agents' own
    present    (N, F) whether a vehicle was seen
    seconds    (N,) between two frames
    """

    positions: Floats
    headings: Floats
    present: Flags
    seconds: Floats


class States(NamedTuple):
    """The motion at the last observed frame.

    values  (N, 3) speed in m/s, acceleration in m/s^2, yaw rate in rad/s; 0 where they are not known
    known   (N, 3)
    """

    values: Floats
    known: Flags


class Futures(NamedTuple):
    """True positions (N, T, 2), and whether a vehicle was seen then, (N, T)."""

    positions: Floats
    present: Flags


def pasts_of(windows: Sequence[Window]) -> Pasts:
    """The pasts of windows, as `Window.past` has them."""
    poses = _poses(windows)
    back = np.arange(-windows[0].span.history, 1)
    present, positions, headings = _taken(windows, back)
    return Pasts(
        positions=_in_frames(positions, poses) * present[..., None],
        headings=wrapped(headings - poses[:, None, 2]) * present,
        present=present,
        seconds=np.array([window.scene.frame_seconds for window in windows]),
    )


def futures_of(windows: Sequence[Window]) -> Futures:
    """The futures of windows, as `Window.future` has them."""
    span = windows[0].span
    present, positions, _ = _taken(windows, span.step_frames * np.arange(1, span.steps + 1))
    return Futures(_in_frames(positions, _poses(windows)) * present[..., None], present)


def states_of(windows: Sequence[Window], pasts: Pasts) -> States:
    """Speed, acceleration and yaw rate, as `Window.state` has them."""
    frames = pasts.present.shape[1]
    lags = np.array([window.lag for window in windows])
    seconds = lags * pasts.seconds
    # From the latest to the oldest; a frame before the history is one in which the vehicle was not seen.
    places = frames - 1 - lags[:, None] * np.arange(LATEST)
    rows, kept = np.arange(len(windows))[:, None], places.clip(min=0)
    seen = pasts.present[rows, kept] & (places >= 0)
    headings = pasts.headings[rows, kept]
    speeds = np.hypot(*np.moveaxis(np.diff(pasts.positions[rows, kept], axis=1), -1, 0)) / seconds[:, None]
    has_speed = seen[:, :2].all(axis=1)
    known = np.stack([has_speed, seen.all(axis=1), has_speed], axis=1)
    turned = wrapped(headings[:, 0] - headings[:, 1]) / seconds
    values = np.stack([speeds[:, 0], (speeds[:, 0] - speeds[:, 1]) / seconds, turned], axis=1)
    return States(values * known, known)


def steady_positions(windows: Sequence[Window], pasts: Pasts) -> Floats:
    """The positions of the predicted steps at the mean velocity of the last half second, (N, T, 2).

    As the baseline of constant velocity, but of the history alone that a net may see: over as much of it as the vehicle
    was seen; without an earlier frame it stands still.
    """
    frames = pasts.present.shape[1]
    age = np.arange(frames - 1, -1, -1)  # frames before the last observed one
    recent = age <= np.maximum(1, np.round(MEAN_SECONDS / pasts.seconds))[:, None]
    first = (pasts.present & recent).argmax(axis=1)
    rows = np.arange(len(first))
    seconds = age[first] * pasts.seconds
    moved = pasts.positions[:, -1] - pasts.positions[rows, first]
    velocities = moved / np.where(seconds > 0, seconds, 1)[:, None]
    times = np.array([window.step_seconds for window in windows])[:, None] * np.arange(1, windows[0].span.steps + 1)
    return np.asarray(pasts.positions[:, -1:] + velocities[:, None] * times[..., None])


def _taken(windows: Sequence[Window], offsets: NDArray[np.int64]) -> tuple[Flags, Floats, Floats]:
    """Presence, positions and headings in the world at frames by their offsets from the last observed one."""
    present, positions, headings = [], [], []
    for scene, vehicle, frame, *_ in windows:
        frames = frame + offsets
        kept = frames.clip(0, scene.frames - 1)
        present.append(scene.present[vehicle, kept] & (kept == frames))
        positions.append(scene.positions[vehicle, kept])
        headings.append(scene.headings[vehicle, kept])
    return np.stack(present), np.stack(positions), np.stack(headings)


def _poses(windows: Sequence[Window]) -> Floats:
    """The agents' frames in the world, (N, 3)."""
    return np.array([window.pose() for window in windows])


def _in_frames(positions: Floats, poses: Floats) -> Floats:
    """Positions of the world (N, ..., 2) in the frame of each agent."""
    shifted = positions - poses[:, None, :2]
    cosine, sine = np.cos(poses[:, 2])[:, None], np.sin(poses[:, 2])[:, None]
    x, y = shifted[..., 0], shifted[..., 1]
    return np.stack([x * cosine + y * sine, y * cosine - x * sine], axis=-1)
