"""Simulated traffic: drivers keep apart, keep to the road and move as vehicles do."""

import numpy as np
import pytest

from resvision.data import sets
from resvision.data.tracks.driver_model import HARDEST
from resvision.data.tracks.road_shape import RoadShape, Section
from resvision.data.tracks.simulated import FRAME_SECONDS, simulated
from resvision.geometry.frames import wrapped
from resvision.kinds.motion.scenes import Scene


@pytest.fixture(scope="module", params=[1, 4])
def scene(request: pytest.FixtureRequest) -> Scene:
    return simulated(request.param)


def test_a_recording_follows_from_its_number_alone(scene: Scene) -> None:
    again = simulated(int(scene.name[-3:]))
    assert (again.positions == scene.positions).all()
    assert again.vehicles == scene.vehicles
    assert not np.array_equal(simulated(2).positions, scene.positions)


def test_vehicles_never_overlap(scene: Scene) -> None:
    for frame in range(0, scene.frames, 5):
        here = np.flatnonzero(scene.present[:, frame])
        for vehicle in here:
            heading = scene.headings[vehicle, frame]
            shifted = scene.positions[here, frame] - scene.positions[vehicle, frame]
            along, across = np.abs(
                shifted @ [[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]]
            ).T
            sizes = (scene.sizes[here] + scene.sizes[vehicle]) / 2
            assert ((along > sizes[:, 0] - 0.2) | (across > sizes[:, 1] - 0.2) | (here == vehicle)).all()


def test_vehicles_move_along_their_headings_no_harder_than_drivers_brake(scene: Scene) -> None:
    together = scene.present[:, 1:] & scene.present[:, :-1]
    moved = np.diff(scene.positions, axis=1) / FRAME_SECONDS
    speeds, ways = np.hypot(*moved.T).T, np.arctan2(moved[..., 1], moved[..., 0])
    assert speeds[together].max() < 25
    assert np.abs(wrapped(ways - scene.headings[:, 1:]))[together & (speeds > 1)].max() < 0.06
    assert scene.speeds is not None
    assert np.abs(speeds - scene.speeds[:, 1:])[together].max() < 1.5  # bends are longer outside than in the middle
    three = together[:, 1:] & together[:, :-1]
    assert np.abs(np.diff(speeds, axis=1) / FRAME_SECONDS)[three].max() < HARDEST + 1


def test_absent_vehicles_have_zeros_and_lanes_hold_the_present_ones(scene: Scene) -> None:
    assert not scene.positions[~scene.present].any()
    assert not scene.headings[~scene.present].any()
    points = np.concatenate([np.concatenate([lane.left, lane.right]) for lane in scene.lanes])
    for place in scene.positions[:, ::20][scene.present[:, ::20]]:
        assert np.hypot(*(points - place).T).min() < 3.0


def test_some_change_lanes_and_some_brake() -> None:
    straight = simulated(4)
    assert straight.speeds is not None
    gained = np.diff(straight.speeds, axis=1)[straight.present[:, 1:] & straight.present[:, :-1]] / FRAME_SECONDS
    assert gained.min() < -1.5
    way = straight.lanes[0].left[-1] - straight.lanes[0].left[0]
    sideways = straight.positions @ (np.array([-way[1], way[0]]) / np.hypot(*way))
    shifts = [np.ptp(places[seen]) for places, seen in zip(sideways, straight.present, strict=True)]
    assert max(shifts) > 3
    assert np.median(shifts) < 1


def test_a_bend_turns_the_road_by_its_curvature_and_slows_careful_drivers() -> None:
    road = RoadShape([Section(100), Section(np.pi * 25, 1 / 50), Section(100)], lanes=2)
    assert road.headings(np.array([road.length]))[0] == pytest.approx(np.pi / 2, abs=0.02)
    before, within = road.speed_limits(np.array([80.0, 140.0]))
    assert within == pytest.approx(10, rel=0.05)  # sqrt(2 m/s^2 * 50 m)
    assert 10 < before < 14
    right, left = road.as_lanes()
    inner, outer = (np.hypot(*np.diff(border, axis=0).T).sum() for border in (left.left, right.right))
    assert outer - inner == pytest.approx(7 * np.pi / 2, rel=0.02)


def test_splits_hold_as_many_windows_as_the_table_says_and_share_no_recording() -> None:
    splits = sets.open_splits("traffic-simulated", task="motion")
    assert sets.row("traffic-simulated").images == f"{len(splits.train):,} + {len(splits.test):,}"
    recordings = [{reader.group(index) for index in range(0, len(reader), 50)} for reader in splits.readers]
    assert not recordings[0] & recordings[1]
    assert not recordings[2] & (recordings[0] | recordings[1])
