"""Faults of tracks, the cars that two scenes share, and headings at standstill."""

from dataclasses import replace

import numpy as np
import pytest

from resvision.data.fault_kinds import Ledger
from resvision.data.tracks.checks import check_paces, check_splits, check_tracks
from resvision.data.tracks.headings import speeds_of, steadied
from resvision.data.tracks.shared_cars import joined_recordings, shared_cars
from resvision.geometry.frames import Pose, agent_from_world
from resvision.kinds.motion.scenes import Scene
from tests.data.tracks.test_reader import scene

SEEN = np.ones((1, 60), dtype=np.bool_)


def kinds(checked: Scene) -> list[str]:
    """The kinds of the faults of a scene, "" for those that are never allowed."""
    ledger = Ledger()
    check_tracks([checked], ledger)
    return [fault.kind for fault in ledger.faults]


def test_sound_tracks_have_no_fault() -> None:
    assert kinds(scene(SEEN)) == []


@pytest.mark.parametrize(("end", "length"), [(23, "3 frames"), (21, "1 frame")])
def test_a_gap_is_told_with_its_length(end: int, length: str) -> None:
    gap = SEEN.copy()
    gap[0, 20:end] = False
    ledger = Ledger()
    check_tracks([scene(gap)], ledger)
    (fault,) = ledger.faults
    assert fault.kind == "gaps"
    assert f"vehicle a of road is not seen in {length} between" in fault.what
    assert "after frame 19" in fault.what


def test_a_jump_is_a_step_that_no_tyre_holds() -> None:
    sound = scene(SEEN)
    for metres, found in ((0.4, []), (3.0, ["jumps"])):
        moved = sound.positions.copy()
        moved[0, 30:, 1] += metres
        assert kinds(replace(sound, positions=moved)) == found
    braking = np.cumsum(np.maximum(0.0, 2.0 - 0.09 * np.arange(60)))  # 9 m/s^2
    assert kinds(replace(sound, positions=np.stack([[braking, np.zeros(60)]]).transpose(0, 2, 1))) == []


def test_speeds_and_headings_of_other_units_are_never_allowed() -> None:
    sound = scene(SEEN)
    assert kinds(replace(sound, speeds=np.full((1, 60), 120.0))) == [""]
    assert kinds(replace(sound, headings=np.full((1, 60), 90.0))) == [""]
    assert kinds(replace(sound, positions=sound.positions * 1000)) == [""]


@pytest.mark.parametrize("states_speeds", [False, True])
def test_a_heading_that_turns_at_standstill_is_a_fault_and_is_held(states_speeds: bool) -> None:
    frames = np.arange(60)
    x = np.where(frames < 20, frames * 1.0, 20.0 + np.maximum(0, frames - 40) * 1.0)
    headings = np.where((frames >= 20) & (frames < 40), 0.02 * (frames - 20), 0.3)
    stopping = replace(
        scene(SEEN),
        positions=np.stack([x, np.zeros(60)], axis=1)[None],
        headings=headings[None],
        speeds=np.where((frames < 20) | (frames > 40), 10.0, 0.0)[None] if states_speeds else None,
    )
    assert "turning-headings" in kinds(stopping)
    held = steadied(stopping)
    standing = speeds_of(stopping)[0] < 0.5
    assert standing.sum() >= 10
    assert np.ptp(held.headings[0, standing]) == 0.0
    np.testing.assert_array_equal(held.headings[0, ~standing], headings[~standing])
    assert "turning-headings" not in kinds(held)


def test_a_car_that_never_moves_keeps_its_first_heading() -> None:
    seen = SEEN.copy()
    seen[0, :5] = False
    still = replace(scene(seen), positions=np.zeros((1, 60, 2)), headings=np.where(seen, np.arange(60) * 0.01, 0.0))
    held = steadied(still)
    np.testing.assert_array_equal(held.headings[0, 5:], 0.05)
    assert not held.headings[0, :5].any()


def test_recordings_of_another_time_step_are_left_out_where_that_is_allowed() -> None:
    scenes = [scene(SEEN), scene(SEEN), scene(SEEN, frame_seconds=0.2)]
    ledger = Ledger(["other-steps"])
    assert len(check_paces(scenes, ledger)) == 2
    assert ledger.left_out == {"other-steps": 1}
    strict = Ledger()
    check_paces(scenes, strict)
    assert "has frames 0.2 s apart, but most have 0.1 s" in strict.faults[0].what


def moved(whole: Scene, pose: Pose, frames: slice, name: str, vehicles: tuple[str, ...] | None = None) -> Scene:
    """A part of a scene in another frame of the world, rounded as files are."""
    return replace(
        whole,
        name=name,
        recording=name,
        vehicles=vehicles or whole.vehicles,
        present=whole.present[:, frames],
        positions=np.round(agent_from_world(whole.positions[:, frames], pose), 4),
        headings=whole.headings[:, frames] - pose.heading,
        speeds=None if whole.speeds is None else whole.speeds[:, frames],
    )


def test_a_car_is_known_again_in_another_frame_of_the_world_and_at_another_time() -> None:
    whole = scene(np.ones((2, 120), dtype=np.bool_))
    parts = [
        moved(whole, Pose(0, 0, 0), slice(0, 70), "one"),
        moved(whole, Pose(30, -8, 1.2), slice(40, 110), "two", ("x", "y")),
    ]
    pairs = {(car.first_scene, car.first_vehicle, car.scene, car.vehicle) for car in shared_cars(parts)}
    assert pairs == {(0, 0, 1, 0), (0, 1, 1, 1)}
    assert {part.recording for part in joined_recordings(parts, shared_cars(parts))} == {"one"}


def test_other_cars_are_not_taken_for_one_and_standing_ones_neither() -> None:
    whole = scene(np.ones((4, 120), dtype=np.bool_))
    still = replace(whole, positions=np.zeros((4, 120, 2)))
    assert shared_cars([whole]) == []
    assert shared_cars([still, replace(still, name="other")]) == []


def test_a_car_in_two_splits_is_a_fault_or_leaves_its_scene_out_of_training() -> None:
    whole = scene(np.ones((1, 120), dtype=np.bool_))
    train, other = moved(whole, Pose(0, 0, 0), slice(0, 70), "one"), replace(scene(SEEN), name="free")
    test = moved(whole, Pose(5, 5, 1), slice(30, 100), "two")
    other = replace(other, positions=other.positions * 0.9)
    splits = {"train": [train, other], "val": [test]}
    cars = shared_cars([train, other, test])
    strict = Ledger()
    check_splits(splits, cars, strict)
    (fault,) = strict.faults
    assert fault.kind == "shared-cars"
    assert fault.what == "vehicle a of one, in train, is the same car as vehicle a of two, in val"
    kept = check_splits(splits, cars, Ledger(["shared-cars"]))
    assert [part.name for part in kept["train"]] == ["free"]
    assert [part.name for part in kept["val"]] == ["two"]
