"""Scenarios of CommonRoad: what is read of them, and what is refused, with the file and the line."""

from pathlib import Path

import numpy as np
import pytest

from resvision.core.errors import DataError
from resvision.data.fault_kinds import Ledger
from resvision.data.tracks.commonroad import parse_scenario, read_scenario, recording_of
from resvision.data.tracks.recorded import scene_of
from tests.data.tracks.written import LANE, driven, lanelet, obstacle, scenario, state

SHAPE = "<shape><rectangle><length>4.5</length><width>1.8</width></rectangle></shape>"
CAR = obstacle("7", driven(1, 5))
BOMB = '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "c">]>\n<commonRoad>&b;</commonRoad>'


@pytest.mark.parametrize("version", ["2018b", "2020a"])
def test_both_versions_give_lanes_and_tracks(tmp_path: Path, version: str) -> None:
    path = driven(1, 5)
    file = tmp_path / "a.xml"
    file.write_text(scenario(lanelet(), obstacle("7", path, first=2, version=version), version=version))
    scene = scene_of(read_scenario(file), Ledger())
    assert scene.name == "TST_Road-1_1_T-1"
    assert scene.recording == "TST_Road-1"
    assert scene.frame_seconds == 0.1
    assert scene.vehicles == ("7",)
    assert scene.kinds == ("car",)
    np.testing.assert_array_equal(scene.positions[0], path)
    np.testing.assert_array_equal(scene.sizes, [[4.5, 1.8]])
    (lane,) = scene.lanes
    np.testing.assert_array_equal(lane.left, LANE["left"])
    np.testing.assert_array_equal(lane.right, LANE["right"])
    assert scene.speeds is None


def test_frames_in_which_a_car_is_not_there_are_zero_and_not_present() -> None:
    late = obstacle("late", driven(2, 3), first=4)
    scene = scene_of(parse_scenario(scenario(CAR, late).encode(), "a.xml"), Ledger())
    assert scene.frames == 7
    np.testing.assert_array_equal(scene.present[1], [False] * 4 + [True] * 3)
    assert not scene.positions[1, :4].any()
    assert np.isfinite(scene.positions).all()


def test_speeds_are_kept_where_every_state_has_one() -> None:
    states = state("initialState", 0, 0, 0, speed=3.5) + f"<trajectory>{state('state', 1, 1, 0, speed=4)}</trajectory>"
    document = scenario(f'<dynamicObstacle id="1"><type>car</type>{SHAPE}{states}</dynamicObstacle>')
    scene = scene_of(parse_scenario(document.encode(), "a.xml"), Ledger())
    assert scene.speeds is not None
    np.testing.assert_array_equal(scene.speeds, [[3.5, 4.0]])


def test_a_static_obstacle_stands_through_all_frames() -> None:
    parked = f'<staticObstacle id="9"><type>car</type>{SHAPE}{state("initialState", 0, 5, 6)}</staticObstacle>'
    scene = scene_of(parse_scenario(scenario(CAR, parked).encode(), "a.xml"), Ledger())
    assert scene.kinds == ("car", "parked")
    assert scene.present[1].all()
    np.testing.assert_array_equal(scene.positions[1], np.tile([5, 6], (5, 1)))


def test_what_is_no_vehicle_is_left_out() -> None:
    site = (
        f'<staticObstacle id="9"><type>constructionZone</type>{SHAPE}{state("initialState", 0, 5, 6)}</staticObstacle>'
    )
    assert [track.name for track in parse_scenario(scenario(CAR, site).encode(), "a.xml").tracks] == ["7"]


@pytest.mark.parametrize(
    ("benchmark", "recording"),
    [
        ("USA_US101-3_2_T-1", "USA_US101-3"),
        ("USA_Lanker-1_10_T-1", "USA_Lanker-1"),
        ("C-DEU_B471-2_1_T-1", "C-DEU_B471-2"),
        ("my road", "my road"),
        ("left_right_turn", "left_right_turn"),
    ],
)
def test_the_recording_is_what_stands_before_the_part(benchmark: str, recording: str) -> None:
    assert recording_of(benchmark) == recording


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (BOMB, "a.xml:2: a document type, which may define entities"),
        ("<commonRoad", "a.xml:1: no XML"),
        ("<a/>", "a.xml:1: an element a where <commonRoad> is due"),
        (scenario(CAR, version="2017a"), "a.xml:2: version '2017a' of CommonRoad; 2018b and 2020a are read here"),
        (scenario(CAR, step=""), "a.xml:2: no timeStepSize"),
        (scenario(CAR, step='timeStepSize="0"'), "a.xml:2: timeStepSize is 0, not above 0"),
        (scenario(CAR, step='timeStepSize="fast"'), "a.xml:2: timeStepSize is 'fast', no number"),
        (scenario(CAR, step='timeStepSize="nan"'), "a.xml:2: timeStepSize is nan, out of all bounds"),
        (scenario(CAR, obstacle("8", driven(1, 5), kind="ufo")), "a.xml:4: obstacle 8 of type 'ufo'; known are car"),
        (scenario(CAR.replace("<x>0.0</x>", "<x>1e999</x>")), "a.xml:3: point/x of dynamicObstacle 7 is 1e999"),
        (scenario(CAR.replace("<x>0.0</x>", "")), "a.xml:3: dynamicObstacle 7 without x of a point"),
        (scenario(CAR.replace("<exact>3</exact>", "<exact>2.5</exact>")), "a.xml:3: obstacle 7 has time 2.5"),
        (scenario(CAR.replace("4.5", "0")), "a.xml:3: obstacle 7 of 0 x 1.8 m"),
        (scenario(CAR.replace("rectangle", "polygon")), "without a rectangle or a circle as its shape"),
        (
            scenario(CAR.replace("<exact>3</exact>", "<intervalStart>3</intervalStart>")),
            "a.xml:3: dynamicObstacle 7 without an exact time",
        ),
        (scenario(lanelet({"left": [(0, 0)], "right": [(0, 0)]})), "a.xml:3: lanelet 1 without two points"),
        (scenario("<b>" * 40 + "</b>" * 40), "a.xml:3: nested deeper than 32 elements"),
    ],
)
def test_what_cannot_be_read_is_named_by_file_line_and_reason(document: str, said: str) -> None:
    with pytest.raises(DataError) as refused:
        parse_scenario(document.encode(), "a.xml")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_scenario_without_a_vehicle_is_refused() -> None:
    with pytest.raises(DataError, match=r"a.xml: TST_Road-1_1_T-1 has no vehicle"):
        scene_of(parse_scenario(scenario(lanelet()).encode(), "a.xml"), Ledger())


def test_a_vehicle_that_is_there_twice_is_refused() -> None:
    with pytest.raises(DataError, match=r"a.xml:4: vehicle 7 is there twice"):
        scene_of(parse_scenario(scenario(CAR, CAR).encode(), "a.xml"), Ledger())


def test_frames_that_would_fill_the_memory_are_refused() -> None:
    far = CAR.replace("<exact>4</exact>", "<exact>900000000</exact>")
    with pytest.raises(DataError, match=r"1 vehicle over 900,000,001 frames are more than fit"):
        scene_of(parse_scenario(scenario(far).encode(), "a.xml"), Ledger())
