"""Baselines: each is exact for the motion that it supposes, and none looks at what came true but the oracle."""

from collections.abc import Callable

import numpy as np
import pytest
from kinds.motion.made_recordings import driven, recording, window_of
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from resvision.kinds.motion.baselines import (
    CONSTANT_VELOCITY,
    ORACLE,
    Baseline,
    baselines,
    constant_acceleration,
    constant_acceleration_and_yaw_rate,
    constant_velocity,
    constant_yaw_rate,
    kalman_filter,
    nearest,
)
from resvision.kinds.motion.kinematics import Kinematics, kinematics
from resvision.kinds.motion.scoring import truth_of
from resvision.kinds.motion.windows import Window

Floats = NDArray[np.float64]
TIMES = 0.1 * np.arange(1, 31)


def _straight(t: Floats) -> tuple[Floats, Floats]:
    return 4 + 12 * t, -3 + 5 * t


def _circle(t: Floats) -> tuple[Floats, Floats]:
    """13 m/s on a circle to the left."""
    return 65 * np.sin(0.2 * t), 65 * (1 - np.cos(0.2 * t))


def _braking(t: Floats) -> tuple[Floats, Floats]:
    return 30 * t - 1.5 * t**2, 0 * t


def _window(place: Callable[[Floats], tuple[Floats, Floats]]) -> Window:
    return window_of(recording({"car": driven(place)}))


def _every(window: Window) -> dict[str, Baseline]:
    truth = truth_of([window])
    every = baselines([window], kinematics([window]), truth.positions, truth.present)
    return {baseline.name: baseline for baseline in every}


def test_every_baseline_is_exact_on_a_straight_road_at_constant_speed() -> None:
    window = _window(_straight)

    for name, baseline in _every(window).items():
        np.testing.assert_allclose(baseline.positions, window.future().positions[None], atol=0.05, err_msg=name)


def test_constant_yaw_rate_is_exact_on_a_circle() -> None:
    """Mean velocities over half a second lag by a quarter of one, which turns the chord by 0.05 rad."""
    window = _window(_circle)
    motion = kinematics([window])

    assert motion.yaw_rate[0] == pytest.approx(0.2, abs=1e-6)
    led = motion._replace(velocity=13 * np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(constant_yaw_rate(led, TIMES)[0], window.future().positions, atol=0.65)
    assert np.hypot(*(constant_velocity([window])[0, -1] - window.future().positions[-1])) > 8


def _integrated(speed: float, course: float, gain: float, turn: float) -> Floats:
    """Positions (30, 2) of a motion whose speed and course change by `gain` and `turn` in a second."""

    def change(t: float, _: Floats) -> list[float]:
        now = speed + gain * t
        return [now * np.cos(course + turn * t), now * np.sin(course + turn * t)]

    solved: Floats = solve_ivp(change, (0, 3), [0, 0], t_eval=TIMES, rtol=1e-9, atol=1e-9).y.T
    return solved


def test_models_of_motion_agree_with_an_integrator() -> None:
    """Judged by scipy's, over motions that turn and change their speed, but do not stop."""
    draws = np.random.default_rng(0)
    for speed, course, acceleration, yaw_rate in draws.uniform([5, -1, -1, -0.5], [20, 1, 3, 0.5], size=(5, 4)):
        velocity = speed * np.array([[np.cos(course), np.sin(course)]])
        motion = Kinematics(velocity, np.array([acceleration]), np.array([yaw_rate]))
        cases = (
            (constant_yaw_rate, 0.0, yaw_rate),
            (constant_acceleration, acceleration, 0.0),
            (constant_acceleration_and_yaw_rate, acceleration, yaw_rate),
        )
        for model, gain, turn in cases:
            expected = _integrated(speed, course, gain, turn)
            np.testing.assert_allclose(model(motion, TIMES)[0], expected, atol=2e-3)


def test_vehicle_that_brakes_stops_and_does_not_drive_backwards() -> None:
    motion = Kinematics(np.array([[4.0, 0.0]]), np.array([-2.0]), np.array([0.0]))

    for model in (constant_acceleration, constant_acceleration_and_yaw_rate):
        path = model(motion, TIMES)[0]
        assert (np.diff(path[:, 0]) >= 0).all()
        assert path[-1] == pytest.approx([4.0, 0.0])  # v^2 / 2a


def test_filter_finds_most_of_the_acceleration_through_noise() -> None:
    window = _window(lambda t: (10 * t + t**2, 0 * t))
    draws = np.random.default_rng(0)
    noisy = window.scene.positions + draws.normal(scale=0.1, size=window.scene.positions.shape)
    shaken = window._replace(scene=recording({"car": noisy[0]}, headings={"car": np.zeros(61)}))

    end = kalman_filter([shaken])[0, -1] + shaken.scene.positions[0, 20] - window.scene.positions[0, 20]

    assert np.hypot(*(end - window.future().positions[-1])) < 5
    assert np.hypot(*(constant_velocity([shaken])[0, -1] - window.future().positions[-1])) > 7


def test_filter_agrees_with_a_weighted_fit_where_the_jerk_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise in the jerk, the filter is the least-squares fit of a parabola with its prior."""
    from resvision.kinds.motion import baselines as module

    monkeypatch.setattr(module, "JERK", 0.0)
    monkeypatch.setattr(module, "FIRST_ACCELERATION", 1e3)
    monkeypatch.setattr(module, "FIRST_SPEED", 1e4)
    draws = np.random.default_rng(0)
    path = driven(_braking) + draws.normal(scale=0.2, size=(61, 2))
    window = window_of(recording({"car": path}, headings={"car": np.zeros(61)}))

    parabola = np.polynomial.polynomial.polyfit(0.1 * np.arange(-20, 1), path[:21] - path[20], 2)
    expected = np.polynomial.polynomial.polyval(TIMES, parabola).T

    np.testing.assert_allclose(kalman_filter([window])[0], expected, atol=1e-3)


def test_oracle_is_the_best_of_four_and_says_that_it_is_one() -> None:
    truth = np.zeros((1, 3, 2))
    chances = np.stack([truth + 2, truth + 1, truth + 3, truth - 1.5], axis=1)

    assert (nearest(chances, truth, np.ones((1, 3), dtype=bool)) == 1).all()
    assert "oracle" in ORACLE
    for place in (_straight, _circle, _braking):
        window = _window(place)
        truth_now = window.future().positions
        errors = {name: np.hypot(*(one.positions[0] - truth_now).T).mean() for name, one in _every(window).items()}
        assert errors[ORACLE] <= min(errors[CONSTANT_VELOCITY], errors["constant yaw rate"]) + 1e-12


def test_no_baseline_but_the_oracle_looks_at_the_future() -> None:
    window = _window(_circle)
    changed = window.scene.positions.copy()
    last = changed[0, 20] - changed[0, 19]
    changed[0, 21:] = changed[0, 20] + last * np.arange(1, 41)[:, None]  # straight on, from where it was turning
    other = window._replace(scene=recording({"car": changed[0]}, headings={"car": window.scene.headings[0]}))

    for name, baseline in _every(window).items():
        same = np.allclose(baseline.positions, _every(other)[name].positions)
        assert same == (name != ORACLE), name


def test_baselines_are_the_same_however_much_history_a_net_sees() -> None:
    scene = recording({"car": driven(_circle)})
    long, short = (window_of(scene, history=history) for history in (20, 0))

    for name, baseline in _every(long).items():
        np.testing.assert_array_equal(baseline.positions, _every(short)[name].positions)


def test_vehicle_that_has_just_appeared_is_taken_over_what_was_seen() -> None:
    scene = recording({"car": driven(_straight)}, present={"car": np.arange(61) >= 18})

    steady = constant_velocity([window_of(scene)])

    np.testing.assert_allclose(steady[0], window_of(scene).future().positions, atol=1e-9)


def test_vehicle_seen_once_stays_where_it_is() -> None:
    scene = recording({"car": driven(_straight)}, present={"car": np.arange(61) >= 20})

    for name, baseline in _every(window_of(scene)).items():
        assert np.isfinite(baseline.positions).all(), name
        assert (np.abs(baseline.positions) < 1e-6).all() or name == ORACLE, name
