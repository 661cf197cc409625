"""Tables of tracks: columns by name and by a map, timestamps, lanes, and cells that are refused with their line."""

import re
from pathlib import Path

import numpy as np
import pytest

from resvision.core.errors import DataError, ResVisionError, SettingsError
from resvision.core.samples import Timing
from resvision.data.sets import open_splits
from resvision.data.tracks.table import read_tracks
from tests.data.tracks.written import csv, driven

FIVE = {str(scene): {"a": driven(2 * scene), "b": driven(2 * scene + 1, y=4.0)} for scene in range(5)}
PACE = Timing(frame_seconds=0.1)


def test_scenes_and_tracks_are_those_of_the_rows(tmp_path: Path) -> None:
    first, second = read_tracks(csv(tmp_path / "t.csv", {"s": {"a": driven(1, 4)}, "r": {"b": driven(2, 3)}}), (), [])
    assert (first.name, second.name) == ("t/s", "t/r")
    (track,) = first.tracks
    assert track.name == "a"
    assert track.size == (4.5, 1.8)
    assert track.where == f"{tmp_path / 't.csv'}:2"
    np.testing.assert_array_equal(track.positions, driven(1, 4))


def test_columns_of_other_names_are_said_by_a_map(tmp_path: Path) -> None:
    path = csv(tmp_path / "t.csv", {"s": {"a": driven(1, 4)}}, header="clip,vehicle,Frame,LOCAL_X,y,yaw,length,width")
    columns = ("scene=clip", "track=vehicle", "x=LOCAL_X", "heading=yaw")
    (recorded,) = read_tracks(path, columns, [])
    np.testing.assert_array_equal(recorded.tracks[0].positions, driven(1, 4))
    with pytest.raises(SettingsError, match=r"unknown column 'LOCALX'; nearest: LOCAL_X"):
        read_tracks(path, ("x=LOCALX",), [])
    with pytest.raises(SettingsError, match=r"unknown role 'colour'"):
        read_tracks(path, ("colour=yaw",), [])


def test_timestamps_tell_the_time_between_frames_with_and_without_numbers_of_frames(tmp_path: Path) -> None:
    rows = {"s": {"a": driven(1, 6)}}
    timed = csv(
        tmp_path / "t.csv", rows, header="scene,track,frame,x,y,heading,length,width,timestamp", also=",{frame}.0"
    )
    (recorded,) = read_tracks(timed, (), [])
    assert recorded.frame_seconds == 1.0
    text = timed.read_text().replace("track,frame,", "track,timestamp,").replace(",timestamp\n", ",left\n")
    timed.write_text(text)
    (recorded,) = read_tracks(timed, (), [])
    assert recorded.frame_seconds == 1.0
    np.testing.assert_array_equal(recorded.tracks[0].frames, np.arange(6))


def test_a_timestamp_off_its_place_is_a_fault_with_its_line(tmp_path: Path) -> None:
    header = "scene,track,frame,x,y,heading,length,width,timestamp"
    path = csv(tmp_path / "t.csv", {"s": {"a": driven(1, 60)}}, header=header, also=",{frame}.0")
    lines = path.read_text().splitlines()
    lines[10] = lines[10].rpartition(",")[0] + ",9.6"
    path.write_text("\n".join(lines))
    with pytest.raises(DataError, match=r"t.csv:11: the timestamp is 9.6 s, while frames are 1 s apart"):
        open_splits(str(path), task="motion")


def test_without_a_timestamp_the_time_between_frames_is_asked_for(tmp_path: Path) -> None:
    path = str(csv(tmp_path / "t.csv", FIVE))
    with pytest.raises(SettingsError, match=r"t.csv does not tell the seconds between two frames; say --set data"):
        open_splits(path, task="motion")
    splits = open_splits(path, task="motion", timing=PACE)
    assert [len(reader) for reader in splits.readers] == [4 * 2 * 2, 1 * 2 * 2]  # 60 frames hold two windows of 51


def test_a_frame_that_a_vehicle_has_twice_is_a_fault_or_its_first_state_counts(tmp_path: Path) -> None:
    path = csv(tmp_path / "t.csv", FIVE)
    path.write_text(path.read_text() + "0,a,7,-50,0,0,4.5,1.8\n")
    with pytest.raises(DataError, match=r"t.csv:2: vehicle a has frame 7 more than once; --allow duplicate-frames"):
        open_splits(str(path), task="motion", timing=PACE)
    splits = open_splits(str(path), task="motion", timing=PACE, allow=["duplicate-frames"])
    windows = (reader.target(index) for reader in splits.readers for index in range(len(reader)))
    scenes = {window.scene.name: window.scene for window in windows}
    np.testing.assert_array_equal(scenes["t/0"].positions[0], driven(0))
    assert splits.split_rule.endswith("allowed: 1 state by duplicate-frames")


def test_a_table_is_read_as_tracks_whatever_task_is_asked_for(tmp_path: Path) -> None:
    path = str(csv(tmp_path / "t.csv", FIVE))
    assert open_splits(path, task=None, timing=PACE).train.classes == ()
    with pytest.raises(SettingsError, match=r"a data set for motion, not for classification"):
        open_splits(path, timing=PACE)


def test_a_column_of_splits_parts_the_scenes(tmp_path: Path) -> None:
    path = csv(tmp_path / "t.csv", FIVE, header="scene,track,frame,x,y,heading,length,width,split", also=",SPLIT")
    words = {"0": "train", "1": "train", "2": "train", "3": "val", "4": "test"}
    rows = [row.replace("SPLIT", words.get(row[0], "")) for row in path.read_text().splitlines()]
    path.write_text("\n".join(rows))
    splits = open_splits(str(path), task=None, timing=PACE)
    assert [reader.split for reader in splits.readers] == ["train", "test", "val"]
    path.write_text("\n".join(rows).replace(",train", ",none", 60 * 2))
    assert open_splits(str(path), task=None, timing=PACE).split_rule.endswith("splits; 1 scene of no split is left out")
    path.write_text("\n".join(rows))
    assert {splits.test.group(index) for index in range(len(splits.test))} == {"t/4"}


def test_lanes_lie_in_a_table_beside_the_tracks(tmp_path: Path) -> None:
    path = csv(tmp_path / "t.csv", {"s": {"a": driven(1, 4)}, "r": {"a": driven(2, 4)}})
    points = [f"{side},{x},{y}" for side, y in (("left", 2), ("right", -2)) for x in (0, 50)]
    lanes = tmp_path / "t_lanes.csv"
    lanes.write_text("\n".join(["lane,side,x,y", *(f"1,{point}" for point in points)]))
    assert [len(recorded.lanes) for recorded in read_tracks(path, (), [])] == [1, 1]
    lanes.write_text("\n".join(["scene,lane,side,x,y", *(f"s,1,{point}" for point in points)]))
    first, second = read_tracks(path, (), [])
    np.testing.assert_array_equal(first.lanes[0].right, [[0, -2], [50, -2]])
    assert second.lanes == ()
    lanes.write_text("lane,side,x,y\n1,above,0,0\n")
    with pytest.raises(DataError, match=r"t_lanes.csv:2: a side, left or right, and numbers x and y are due"):
        read_tracks(path, (), [])


def test_lanes_that_have_changed_are_read_anew(tmp_path: Path) -> None:
    path = str(csv(tmp_path / "t.csv", FIVE))
    lanes = tmp_path / "t_lanes.csv"
    for width in (2, 3):
        points = [f"1,{side},{x},{y}" for side, y in (("left", width), ("right", -width)) for x in (0, 50)]
        lanes.write_text("\n".join(["lane,side,x,y", *points]))
        scene = open_splits(path, task="motion", timing=PACE).train.target(0).scene
        assert scene.lanes[0].left[0, 1] == width


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("frame,x,", "frame,z,"), "t.csv: no column x; it has scene, track, frame, z, y, heading"),
        (("track,frame,", "track,left,"), "no column frame; it has scene"),
        (("heading,length", "yaw,length"), "no column heading"),
        (("s,a,2,", "s,a,nan,"), "t.csv:4: frame is 'nan', no number that can be used"),
        (("s,a,2,", "s,a,,"), "t.csv:4: frame is '', no number that can be used"),
        (("s,a,2,", "s,a,2.5,"), "t.csv:4: the frame is 2.5, no whole number"),
        (("s,a,2,", "s,a,1_0,"), "t.csv:4: frame is '1_0', no number"),
        (("4.5", "0"), "t.csv:2: a vehicle of 0 x 1.8 m"),
        (("4.5", "inf"), "t.csv:2: length is 'inf', no number"),
    ],
)
def test_what_cannot_be_used_is_named_by_line(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    path = csv(tmp_path / "t.csv", {"s": {"a": driven(1, 4)}})
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(ResVisionError) as refused:
        read_tracks(path, (), [])
    assert said in str(refused.value)


@pytest.mark.parametrize("missing", ["track", "frame", "x", "heading", "width"])
def test_a_table_that_lacks_a_column_is_still_told_from_one_of_images(tmp_path: Path, missing: str) -> None:
    path = csv(tmp_path / "t.csv", FIVE)
    path.write_text(path.read_text().replace(missing, "other", 1))
    with pytest.raises(DataError, match=rf"t.csv: no column {missing}; it has .*other.* `--columns {missing}=COLUMN`"):
        open_splits(str(path), task="motion", timing=PACE)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("s,a,{frame},{x},0,182.5,4.5,1.8", "has a heading of 182.5; radians are due"),
        ("s,a,{frame},{x}e3,0,0,4.5,1.8", "moves at 1"),
    ],
)
def test_mixed_units_are_refused(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "t.csv"
    rows = (row.format(frame=frame, x=x) for frame, (x, _) in enumerate(driven(1).round(2).tolist()))
    path.write_text("\n".join(["scene,track,frame,x,y,heading,length,width", *rows]))
    with pytest.raises(DataError, match=rf"vehicle a of t/s {said}"):
        open_splits(str(path), task="motion", timing=PACE)


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("lane,side,x,y\n1,left,0,2\n", "", "lane 1 without two points of each border"),
        ("lane,side,x,y\n1,middle,0,2\n", ":2", "a side, left or right, and numbers x and y are due"),
        ("lane,side,x\n1,left,0\n", "", "no column y; it has lane, side, x"),
    ],
)
def test_a_fault_of_the_lanes_names_the_table_of_lanes_alone(tmp_path: Path, text: str, where: str, said: str) -> None:
    path = csv(tmp_path / "t.csv", FIVE)
    lanes = tmp_path / "t_lanes.csv"
    lanes.write_text(text)
    with pytest.raises(DataError, match=f"^{re.escape(f'{lanes}{where}: {said}')}"):
        open_splits(str(path), task="motion")
