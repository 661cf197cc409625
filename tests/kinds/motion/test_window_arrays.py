"""Arrays of several windows hold what each window says of itself."""

import numpy as np
import pytest
from motion.traffic import FRAME_SECONDS, SPAN, Windows, scene

from resvision.geometry.frames import Pose
from resvision.kinds.motion.baselines import constant_velocity
from resvision.kinds.motion.window_arrays import futures_of, pasts_of, states_of, steady_positions
from resvision.kinds.motion.windows import Span, Window


def windows(span: Span = SPAN, offset: Pose | None = None) -> list[Window]:
    """Windows of three scenes with gaps in their tracks, at their beginning and at their end too."""
    scenes = [scene(seed=seed) for seed in range(3)]
    draws = np.random.default_rng(0)
    for one in scenes:
        one.present[:] = draws.random(one.present.shape) < 0.7
        one.positions[~one.present] = one.headings[~one.present] = 0
    seen = [
        Window(one, vehicle, frame, span)
        for one in scenes
        for vehicle in range(len(one.vehicles))
        for frame in range(one.frames)
        if one.present[vehicle, frame]
    ]
    return seen if offset is None else [window._replace(offset=offset) for window in seen]


@pytest.mark.parametrize("span", [SPAN, Span(history=0, steps=2), Span(history=1, steps=3, step_frames=3)])
@pytest.mark.parametrize("offset", [None, Pose(1.5, -0.5, 0.3)])
def test_pasts_states_and_futures_are_those_of_each_window(span: Span, offset: Pose | None) -> None:
    some = windows(span, offset)
    pasts, futures = pasts_of(some), futures_of(some)
    states = states_of(some, pasts)
    assert not futures.present.all()
    for row, window in enumerate(some):
        past, future, state = window.past(), window.future(), window.state()
        for arrays, alone in ((pasts[:3], past), (futures, future)):
            for members, member in zip(arrays, alone, strict=True):
                np.testing.assert_allclose(members[row], member, atol=1e-9)
        np.testing.assert_array_equal(states.known[row], state.known)
        np.testing.assert_allclose(states.values[row], state[:3], atol=1e-9)


def test_steady_positions_are_those_of_the_baseline_where_half_a_second_is_seen() -> None:
    some = windows()
    some = [window for window in some if window.past().present[-3:-1].any()]
    assert SPAN.history * FRAME_SECONDS > 0.5
    np.testing.assert_allclose(steady_positions(some, pasts_of(some)), constant_velocity(some), atol=1e-9)


def test_without_history_a_vehicle_stands_still_since_a_net_is_not_told_more() -> None:
    some = windows(Span(history=0, steps=4))
    assert not steady_positions(some, pasts_of(some)).any()


def test_in_a_frame_that_was_moved_steady_positions_lie_at_the_same_place_in_the_world() -> None:
    reader = Windows([scene()])
    here = [reader.target(index) for index in range(len(reader))]
    moved = [window._replace(offset=Pose(2.0, 1.0, 0.5)) for window in here]
    first, second = (steady_positions(some, pasts_of(some)) for some in (here, moved))
    cosine, sine = np.cos(0.5), np.sin(0.5)
    x, y = np.moveaxis(first - (2.0, 1.0), -1, 0)
    np.testing.assert_allclose(second, np.stack([x * cosine + y * sine, y * cosine - x * sine], axis=-1), atol=1e-9)


def test_a_state_is_told_over_half_a_second_or_what_the_history_holds() -> None:
    """Of a car that speeds up evenly while it turns evenly: the mean over half a second is that a quarter before."""
    one = scene(cars=1, frames=40)
    one = type(one)(**{**vars(one), "frame_seconds": 0.1})
    times = 0.1 * np.arange(40)
    one.positions[0] = np.stack([3 * times + 2 * times**2 / 2, np.zeros(40)], axis=1)
    one.headings[0] = 0.4 * times
    for history, seconds in ((20, 0.5), (4, 0.2), (2, 0.1)):
        state = Window(one, 0, 30, Span(history=history, steps=2)).state()
        assert state.speed == pytest.approx(3 + 2 * (3.0 - seconds / 2))
        assert state.acceleration == pytest.approx(2)
        assert state.yaw_rate == pytest.approx(0.4)
    assert Window(one, 0, 30, Span(history=1, steps=2)).state().known.tolist() == [True, False, True]
