"""Predictions that need no training, which every table of scores has beside those of a net.

They look at the recording itself, a fixed time back, however much history a net is given: so the same windows have
the same baselines in every run. Everything is in the agent's frame at the last observed frame: x forward, y left, in
metres.

The physics oracle is that of nuScenes' devkit (Caesar et al. 2020, arXiv:1903.11027; Phan-Minh et al. 2020,
arXiv:1911.10298): of four models of motion, the one that comes nearest to what came true. It has seen the truth, so it
is no prediction, but says what such models could reach at best. It differs from the devkit in three ways: speed,
acceleration and yaw rate are means over half a second; turns are integrated exactly and not in steps of the
prediction; a vehicle that brakes stops, and does not drive backwards.

Glossary
    n  windows
    T  predicted steps
    H  frames that the filter looks back, so that H + 1 are measured
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from resvision.kinds.motion.kinematics import Kinematics, mean_velocity
from resvision.kinds.motion.scenes import Flags, Floats
from resvision.kinds.motion.windows import Span, Window

CONSTANT_VELOCITY = "constant velocity"
CONSTANT_YAW_RATE = "constant yaw rate"
KALMAN = "Kalman filter"
ORACLE = "physics oracle"

FILTER_SECONDS = 2.0
"""The time that the Kalman filter looks back."""
MEASURED_M = 0.5
"""The standard deviation of a measured position, in metres."""
JERK = 0.3
"""The root of the power of white noise in the jerk, in metres a second to the power of 2.5."""
FIRST_PLACE, FIRST_SPEED, FIRST_ACCELERATION = 1000.0, 30.0, 1.0
"""Standard deviations of place, velocity and acceleration before the first frame, in metres and seconds."""
_STRIDE_S = 0.05
"""The steps in which turns at changing speed are integrated, in seconds."""


class Baseline(NamedTuple):
    """The prediction of a baseline for windows: its name, and its positions (n, T, 2) in the agent's frame."""

    name: str
    positions: Floats


def baselines(windows: Sequence[Window], motion: Kinematics, gt_positions: Floats, gt_present: Flags) -> list[Baseline]:
    """The predictions of all baselines for windows of one span, constant velocity first.

    motion                    that of the windows
    gt_positions, gt_present  (n, T, 2) and (n, T), the true positions and where they are known, for the oracle alone
    """
    times = step_times(windows[0])
    steady, turning = constant_velocity(windows), constant_yaw_rate(motion, times)
    chances = [steady, turning, constant_acceleration(motion, times), constant_acceleration_and_yaw_rate(motion, times)]
    return [
        Baseline(CONSTANT_VELOCITY, steady),
        Baseline(CONSTANT_YAW_RATE, turning),
        Baseline(KALMAN, kalman_filter(windows)),
        Baseline(ORACLE, nearest(np.stack(chances, axis=1), gt_positions, gt_present)),
    ]


def step_times(window: Window) -> Floats:
    """The times of the predicted steps after the last observed frame, in seconds, (T,)."""
    return np.asarray(window.step_seconds * np.arange(1, window.span.steps + 1))


def constant_velocity(windows: Sequence[Window]) -> Floats:
    """Positions (n, T, 2) straight on at the mean velocity of the last half second."""
    velocity = np.stack([mean_velocity(window) for window in windows])
    return np.asarray(velocity[:, None] * step_times(windows[0])[:, None])


def constant_yaw_rate(motion: Kinematics, times: Floats) -> Floats:
    """Positions (n, T, 2) at constant speed on a circle."""
    half = motion.yaw_rate[:, None] * times / 2
    chords = motion.speed[:, None] * times * np.sinc(half / np.pi)
    return _polar(chords, motion.course[:, None] + half)


def constant_acceleration(motion: Kinematics, times: Floats) -> Floats:
    """Positions (n, T, 2) straight on at constant acceleration, until the vehicle stands."""
    return _polar(_distances(motion, times), np.broadcast_to(motion.course[:, None], (len(motion.speed), len(times))))


def constant_acceleration_and_yaw_rate(motion: Kinematics, times: Floats) -> Floats:
    """Positions (n, T, 2) at a speed and a heading that change at constant rates, until the vehicle stands."""
    strides = max(1, round((times[1] - times[0] if len(times) > 1 else times[0]) / _STRIDE_S))
    fine = np.interp(np.arange(1, strides * len(times) + 1) / strides, np.arange(len(times) + 1), np.append(0, times))
    lengths = np.diff(_distances(motion, fine), axis=1, prepend=0)
    middles = (fine + np.append(0, fine[:-1])) / 2
    moved = _polar(lengths, motion.course[:, None] + motion.yaw_rate[:, None] * middles)
    return np.asarray(moved.cumsum(axis=1)[:, strides - 1 :: strides])


def nearest(chances: Floats, gt_positions: Floats, gt_present: Flags) -> Floats:
    """Of trajectories (n, C, T, 2), the one nearest to the truth by the Frobenius norm over known steps, (n, T, 2)."""
    squares = np.where(gt_present[:, None, :, None], (chances - gt_positions[:, None]) ** 2, 0).sum(axis=(2, 3))
    return np.asarray(chances[np.arange(len(chances)), squares.argmin(axis=1)])


def kalman_filter(windows: Sequence[Window]) -> Floats:
    """Positions (n, T, 2) at the acceleration that a Kalman filter finds over the last two seconds.

    Its state is place, velocity and acceleration along each axis, driven by white noise in the jerk (Bar-Shalom, Li and
    Kirubarajan 2001, Estimation with Applications to Tracking and Navigation, section 6.2.3). Both axes have the same
    noise, so one covariance serves them.
    """
    seconds = windows[0].scene.frame_seconds
    span = Span(history=round(FILTER_SECONDS / seconds), steps=1)
    pasts = [window._replace(span=span).past() for window in windows]
    measured = np.stack([past.positions for past in pasts])
    present = np.stack([past.present for past in pasts])
    transition, noise = _transition(seconds), _jerk_noise(seconds)
    states = np.zeros((len(windows), 3, 2))
    covariances = np.tile(np.diag([FIRST_PLACE**2, FIRST_SPEED**2, FIRST_ACCELERATION**2]), (len(windows), 1, 1))
    for frame in range(measured.shape[1]):
        states, covariances = transition @ states, transition @ covariances @ transition.T + noise
        gains = covariances[:, :, 0] / (covariances[:, :1, 0] + MEASURED_M**2)
        gains = np.where(present[:, frame, None], gains, 0.0)
        states = states + gains[..., None] * (measured[:, frame] - states[:, 0])[:, None]
        covariances = covariances - gains[..., None] * covariances[:, :1]
    times = step_times(windows[0])
    powers = np.stack([np.ones_like(times), times, times**2 / 2], axis=1)
    return np.asarray(powers @ states)


def _distances(motion: Kinematics, times: Floats) -> Floats:
    """Distances driven at constant acceleration, (n, T) metres; none after the vehicle stands."""
    speed, acceleration = motion.speed[:, None], motion.acceleration[:, None]
    stops = np.divide(speed, -acceleration, out=np.full_like(speed, np.inf), where=acceleration < 0)
    until = np.minimum(times, stops)
    return np.asarray(speed * until + acceleration * until**2 / 2)


def _polar(lengths: Floats, angles: Floats) -> Floats:
    """Vectors of lengths and angles (...,), (..., 2)."""
    return np.stack([lengths * np.cos(angles), lengths * np.sin(angles)], axis=-1)


def _transition(seconds: float) -> Floats:
    """The next place, velocity and acceleration from those of the frame before, (3, 3)."""
    return np.array([[1, seconds, seconds**2 / 2], [0, 1, seconds], [0, 0, 1]])


def _jerk_noise(seconds: float) -> Floats:
    """The covariance that white noise in the jerk adds over one frame, (3, 3)."""
    t = seconds
    return JERK**2 * np.array(
        [[t**5 / 20, t**4 / 8, t**3 / 6], [t**4 / 8, t**3 / 3, t**2 / 2], [t**3 / 6, t**2 / 2, t]]
    )
