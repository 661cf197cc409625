"""Scenarios of Argoverse 2, written by hand: what is read of them, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from resvision.core.errors import DataError
from resvision.data.fault_kinds import Ledger
from resvision.data.sets import open_splits
from resvision.data.tracks.argoverse import read_scenario
from resvision.data.tracks.recorded import scene_of
from tests.data.tracks.written import LANE, argoverse, driven

pytest.importorskip("pyarrow", reason="pyarrow, of the extra motion, is not installed")


def test_tracks_lanes_and_the_focal_car_are_read(tmp_path: Path) -> None:
    scene = scene_of(read_scenario(argoverse(tmp_path, "one")), Ledger())
    assert scene.vehicles == ("focal", "other", "walker")
    assert scene.kinds == ("car", "car", "pedestrian")
    assert scene.frames == 110
    assert scene.frame_seconds == 0.1
    assert scene.focal == (0,)
    np.testing.assert_array_equal(scene.positions[0], driven(0, 110))
    assert scene.present.sum(axis=1).tolist() == [110, 55, 55]
    assert scene.speeds is not None
    np.testing.assert_array_equal(scene.lanes[0].left, LANE["left"])


def test_a_scenario_holds_one_window_of_five_and_six_seconds_of_its_focal_track(tmp_path: Path) -> None:
    for seed, split in enumerate(["train", "train", "val"]):
        argoverse(tmp_path / split, f"{split}{seed}", seed=seed)
    splits = open_splits(str(tmp_path), task="motion")
    assert [len(reader) for reader in splits.readers] == [2, 1]
    assert splits.notes == ()  # the maps lie beside the scenarios, and are read with them
    window = splits.train.target(0)
    assert (window.frame, window.span.history, window.span.steps) == (49, 49, 60)
    assert window.name == "train0:focal@49"


def test_a_scenario_whose_focal_track_jumps_is_left_out_with_its_other_tracks(tmp_path: Path) -> None:
    for seed, split in enumerate(["train", "train", "val"]):
        argoverse(tmp_path / split, f"{split}{seed}", seed=seed)
    argoverse(tmp_path / "train", "jumping", seed=9, jump_m=30.0)
    splits = open_splits(str(tmp_path), task="motion", allow=("jumps",))
    assert {window.scene.name for window in map(splits.train.target, range(len(splits.train)))} == {"train0", "train1"}


def test_a_focal_track_that_the_scenario_does_not_show_is_named(tmp_path: Path) -> None:
    recorded = read_scenario(argoverse(tmp_path, "one", changed={"focal_track_id": "elsewhere"}))
    with pytest.raises(DataError, match=r"scenario_one.parquet: asks about track elsewhere, and shows none such"):
        scene_of(recorded, Ledger())


def test_a_published_test_without_a_future_is_left_untouched(tmp_path: Path) -> None:
    for seed, split in enumerate(["train", "val", "test"]):
        argoverse(tmp_path / split, f"{split}{seed}", seed=seed, frames=50 if split == "test" else 110)
    splits = open_splits(str(tmp_path), task="motion")
    assert [reader.split for reader in splits.readers] == ["train", "val"]
    assert "the folder test is left untouched" in splits.split_rule


def test_a_map_is_not_needed(tmp_path: Path) -> None:
    place = argoverse(tmp_path, "one")
    (place.parent / "log_map_archive_one.json").unlink()
    assert read_scenario(place).lanes == ()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"object_type": "ufo"}, "track focal of type ufo; known are vehicle, bus"),
        ({"position_x": float("nan")}, "position_x of row 0 is nan, no number"),
        ({"heading": "north"}, "heading of row 0 is north, no number"),
    ],
)
def test_values_that_cannot_be_used_are_refused(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_scenario(argoverse(tmp_path, "one", changed=changed))


def test_another_parquet_file_is_refused(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    place = tmp_path / "scenario_a.parquet"
    parquet.write_table(pyarrow.table({"x": [1.0]}), place)
    with pytest.raises(DataError, match=r"no column scenario_id; it has x"):
        read_scenario(place)
    place.write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"scenario_a.parquet: no parquet file that can be read"):
        read_scenario(place)


@pytest.mark.parametrize("text", ["[]", "{", '{"lane_segments": {"1": {}}}', '{"lane_segments": {"1": []}}'])
def test_another_map_is_refused(tmp_path: Path, text: str) -> None:
    place = argoverse(tmp_path, "one")
    (place.parent / "log_map_archive_one.json").write_text(text)
    with pytest.raises(DataError, match=r"log_map_archive_one.json: no map of Argoverse 2"):
        read_scenario(place)
