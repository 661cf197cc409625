"""Lanes: points inside them, trajectories off them, and what a vehicle does on them."""

import numpy as np
import pytest
from kinds.motion.made_recordings import driven, recording, window_of
from matplotlib.path import Path
from numpy.typing import NDArray

from resvision.kinds.motion.kinematics import kinematics
from resvision.kinds.motion.lane_areas import CELL_M, lane_areas
from resvision.kinds.motion.manoeuvres import MANOEUVRES, UNKNOWN, manoeuvres
from resvision.kinds.motion.metrics import Horizon
from resvision.kinds.motion.off_road import off_road, outside_lanes
from resvision.kinds.motion.scenes import Lane

Floats = NDArray[np.float64]


def _lane(y: float, *, start: float = -50.0, end: float = 200.0, width: float = 3.5) -> Lane:
    """A straight lane along the x axis, its middle at y."""
    x = np.linspace(start, end, 26)
    return Lane(np.stack([x, np.full(26, y + width / 2)], axis=1), np.stack([x, np.full(26, y - width / 2)], axis=1))


def _curved(radius: float) -> Lane:
    angles = np.linspace(0, np.pi / 2, 40)
    ring = np.stack([np.sin(angles), 1 - np.cos(angles)], axis=1)
    return Lane(ring * (radius - 2) + (0, 2), ring * (radius + 2) + (0, -2))


ROAD = (_lane(0.0), _lane(3.5))


def _doing(path: Floats, lanes: tuple[Lane, ...] = ROAD, *, steps: int = 30) -> str:
    window = window_of(recording({"car": path}, lanes=lanes), steps=steps)
    (index,) = manoeuvres([window], kinematics([window]))
    return "unknown" if index == UNKNOWN else MANOEUVRES[index]


def test_points_in_lanes_are_those_of_another_implementation() -> None:
    lanes = (*ROAD, _curved(30.0), _curved(40.0))
    scene = recording({"car": driven(lambda t: (t, t))}, lanes=lanes)
    points = np.random.default_rng(0).uniform((-60, -10), (210, 60), size=(20_000, 2))

    expected = np.stack([Path(np.concatenate([left, right[::-1]])).contains_points(points) for left, right in lanes])

    np.testing.assert_array_equal(lane_areas(scene).membership(points), expected.T)
    np.testing.assert_array_equal(lane_areas(scene).contain(points), expected.any(axis=0))
    assert expected.any(axis=0).mean() > 0.05


def test_points_on_the_border_of_two_lanes_are_in_exactly_one() -> None:
    scene = recording({"car": driven(lambda t: (t, t))}, lanes=ROAD)
    points = np.stack([np.arange(0, 100, CELL_M / 3), np.full(600, 1.75)], axis=1)

    assert (lane_areas(scene).membership(points).sum(axis=1) == 1).all()
    assert lane_areas(scene).contain(points).all()


def test_trajectories_off_the_lanes_are_counted_from_the_horizon_at_which_they_leave() -> None:
    window = window_of(recording({"car": driven(lambda t: (10 * t, 0 * t))}, lanes=ROAD))
    along = np.linspace(1, 30, 30)
    modes = np.stack([np.stack([along, np.zeros(30)], axis=1), np.stack([along, -0.1 * along], axis=1)])[None]
    horizons = (Horizon(1.0, 10), Horizon(3.0, 30))

    outside = outside_lanes(modes, [window])
    rates = off_road(outside, np.array([[0.3, 0.7]]), np.array([True]), horizons)

    assert outside.sum(axis=2).tolist() == [[0, 30 - 17]]  # 1.75 m aside after 17.5 m
    assert rates.tolist() == [[[0, 0], [1, 0.5]]]


def test_where_no_lanes_are_known_nothing_is_off_the_road() -> None:
    window = window_of(recording({"car": driven(lambda t: (10 * t, 0 * t))}))
    outside = outside_lanes(np.full((1, 1, 30, 2), 1e6), [window])

    assert not outside.any()
    assert np.isnan(off_road(outside, np.ones((1, 1)), np.array([False]), (Horizon(3.0, 30),))).all()


@pytest.mark.parametrize("turned", [0.0, 2.0])
def test_manoeuvres_are_told_by_their_rules(turned: float) -> None:
    cosine, sine = np.cos(turned), np.sin(turned)
    rotation = np.array([[cosine, sine], [-sine, cosine]])
    lanes = tuple(Lane(lane.left @ rotation, lane.right @ rotation) for lane in ROAD)
    paths = {
        "straight on": driven(lambda t: (15 * t, 0.2 * np.sin(t))),
        "braking": driven(lambda t: (20 * t - 0.8 * t**2, 0 * t)),
        "lane change": driven(lambda t: (15 * t, 1.75 * (1 + np.tanh(2 * (t - 3.5))))),
        "turn": driven(lambda t: (40 * np.sin(0.2 * t), 40 * (1 - np.cos(0.2 * t)))),
        "stopped": driven(lambda t: (np.minimum(5 * t, 8.0), 0 * t)),
    }

    assert {name: _doing(path @ rotation, lanes) for name, path in paths.items()} == {name: name for name in paths}


def test_lane_change_is_not_known_without_lanes() -> None:
    path = driven(lambda t: (15 * t, 1.75 * (1 + np.tanh(2 * (t - 3.5)))))

    assert _doing(path) == "lane change"
    assert _doing(path, ()) == "straight on"


def test_there_and_back_again_is_no_lane_change() -> None:
    assert _doing(driven(lambda t: (15 * t, 2.2 * np.exp(-4 * (t - 3.5) ** 2)))) == "straight on"


def test_driving_on_into_the_next_lane_is_no_lane_change() -> None:
    lanes = (_lane(0.0, end=45.0), _lane(0.0, start=45.0), _lane(3.5))

    assert _doing(driven(lambda t: (15 * t, 0 * t)), lanes) == "straight on"


def test_where_lanes_overlap_leaving_one_of_them_is_no_lane_change() -> None:
    """A lane that turns off lies over the one that goes on."""
    x = np.linspace(0, 60, 61)
    turning = 0.004 * (x - 20).clip(min=0) ** 2
    off = Lane(np.stack([x, turning + 1.75], axis=1), np.stack([x, turning - 1.75], axis=1))

    assert _doing(driven(lambda t: (12 * t, 0 * t)), (_lane(0.0), off)) == "straight on"


def test_vehicle_that_is_gone_at_the_end_has_no_manoeuvre() -> None:
    assert _doing(driven(lambda t: (15 * t, 0 * t)), steps=60) == "unknown"
