"""Files, folders and archives of tracks as data sets: their splits, by recording whatever is asked, and the cache."""

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from resvision.core.errors import DataError, SettingsError
from resvision.core.samples import AS_RECORDED, AS_USUAL, Drawing, Timing
from resvision.data.arrays import ArrayReader
from resvision.data.check import check
from resvision.data.folder_reader import PHOTOS
from resvision.data.folds import fold_out, open_whole
from resvision.data.sets import open_splits
from resvision.data.splits import Splits
from resvision.data.tracks import commonroad as form
from resvision.data.tracks.commonroad import read_scenario
from resvision.data.validation import hold_out
from tests.data.tracks.written import commonroad, driven, obstacle, scenario

ROADS = {f"TST_Road-{road}_{part}_T-1": 10 * road + part for road in range(1, 6) for part in (1, 2)}


@pytest.fixture(scope="module")
def roads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five recordings in two parts each, of which each has two cars."""
    return commonroad(tmp_path_factory.mktemp("data") / "roads", ROADS)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def recordings(splits: Splits) -> list[set[str | None]]:
    """The recordings of each split."""
    return [{reader.group(index) for index in range(len(reader))} for reader in splits.readers]


def test_a_fifth_of_the_recordings_is_val_and_no_recording_is_in_both(roads: Path) -> None:
    splits = open_splits(str(roads), task="motion")
    train, val = recordings(splits)
    assert len(train) == 4
    assert len(val) == 1
    assert not train & val
    assert splits.split_rule.startswith("train 8 scenes of 4 recordings / val 2 scenes of 1 recording, a fifth of the")
    assert open_splits(str(roads), task="motion").fingerprint() == splits.fingerprint()


def test_folds_and_validation_keep_recordings_together(roads: Path) -> None:
    splits = open_splits(str(roads), task="motion")
    whole = open_whole(str(roads), "motion")
    assert whole is not None
    tested = set()
    for fold in range(1, 6):
        train, test = recordings(fold_out(splits, folds=5, fold=fold, seed=0, whole=whole.reader))
        assert not train & test
        tested |= test
    assert len(tested) == 5
    train, _, validation = recordings(hold_out(splits, 0.25))
    assert len(train) == 3
    assert len(validation) == 1
    assert not train & validation


def test_folders_of_splits_are_taken_as_they_are(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val", "test")):
        commonroad(tmp_path / "set" / split, {f"TST_Road-{number}_1_T-1": number})
    splits = open_splits(str(tmp_path / "set"), task="motion")
    assert [reader.split for reader in splits.readers] == ["train", "test", "val"]
    assert splits.test.target_source(0).endswith("test/TST_Road-2_1_T-1.xml")
    assert open_whole(str(tmp_path / "set"), "motion") is None


def test_a_packed_folder_and_a_packed_archive_hold_the_same_windows(roads: Path, tmp_path: Path) -> None:
    packed = tmp_path / "roads.tar.xz"
    with tarfile.open(packed, "w:xz") as archive:
        archive.add(roads, "roads")
    splits, own = (open_splits(str(place), task="motion") for place in (packed, roads))
    assert len(splits.train) == len(own.train) > 0
    assert {splits.train.content(index) for index in range(len(splits.train))} == {
        own.train.content(index) for index in range(len(own.train))
    }


def test_one_file_can_be_scored_but_not_be_parted(roads: Path) -> None:
    file = str(roads / "TST_Road-1_1_T-1.xml")
    whole = open_whole(file, "motion")
    assert whole is not None
    assert len(whole.reader) == 4
    assert whole.reader.split == "all"
    with pytest.raises(DataError, match=r"one recording only; two are needed"):
        open_splits(file, task="motion")


def test_what_is_asked_reaches_every_way_in_which_a_set_is_opened(roads: Path) -> None:
    timing, drawing = Timing(history_seconds=1.0, horizon_seconds=1.0), Drawing(drawn_past="channels")
    splits = open_splits(str(roads), task="motion", image_size=48, timing=timing, drawing=drawing)
    whole = open_whole(str(roads), "motion", (), (), timing, drawing)
    assert whole is not None
    for reader in (splits.train, whole.reader):
        assert reader.target(0).span[:3] == (10, 10, 1)
        assert reader.view.channels == 25
    assert splits.train.view.side_px == 48


def test_other_files_and_folders_are_not_taken_for_tracks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no tracks; CommonRoad's XML, scenarios of Argoverse 2, or a CSV"):
        open_splits(str(tmp_path), task="motion")
    (tmp_path / "a.xml").write_text("<annotation/>")
    with pytest.raises(DataError, match=r"a.xml: holds nothing that is read here; CommonRoad's XML begins with"):
        open_splits(str(tmp_path / "a.xml"), task="motion")
    with pytest.raises(SettingsError, match=r"a data set for detection, not for motion"):
        open_splits(str(tmp_path), task="motion")


def test_a_folder_names_each_file_that_cannot_be_read(roads: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(roads, tmp_path / "broken")
    (broken / "a.xml").write_text("<commonRoad")
    (broken / "b.xml").write_text(scenario(version="1"))
    faults = check(str(broken)).faults
    assert [fault.where for fault in faults] == [f"{broken}/a.xml:1", f"{broken}/b.xml:2"]
    with pytest.raises(DataError, match=r"2 faults: .*a.xml:1: no XML"):
        open_splits(str(broken), task="motion")


def test_files_of_other_kinds_are_left_out_and_counted(roads: Path, tmp_path: Path) -> None:
    mixed = shutil.copytree(roads, tmp_path / "mixed")
    (mixed / "README.md").write_text("of our roads")
    assert open_splits(str(mixed), task="motion").notes == (f"1 file or folder is left out by name: {mixed}/README.md",)


def test_a_text_that_comes_before_the_tracks_does_not_hide_them(roads: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(roads, tmp_path / "roads")
    (folder / "A license.txt").write_text("of our roads")
    assert len(open_splits(str(folder), task="motion").train) == len(open_splits(str(roads), task="motion").train)


def test_check_lists_what_training_leaves_out_by_itself(tmp_path: Path) -> None:
    folder = commonroad(tmp_path / "roads", ROADS)
    path = np.column_stack([np.arange(60.0), np.zeros(60)])
    gap = obstacle("gap", path).replace("<exact>30</exact>", "<exact>99</exact>")
    jump = obstacle("jump", path + np.where(np.arange(60) < 30, 0.0, 5.0)[:, None])
    (folder / "TST_Road-9_1_T-1.xml").write_text(
        scenario(gap, jump, obstacle("sound", driven(99)), name="TST_Road-9_1_T-1")
    )
    findings = check(str(folder))
    assert [fault.kind for fault in findings.faults] == ["gaps", "jumps"]
    assert findings.images > findings.fine > 0
    splits = open_splits(str(folder), task="motion", allow=["jumps"])
    assert splits.split_rule.endswith("allowed: 1 vehicle by gaps, 1 vehicle by jumps")
    with pytest.raises(DataError, match=r"jumps between frames .* --allow jumps goes on without what they concern"):
        open_splits(str(folder), task="motion")


def test_the_simulated_recordings_are_without_fault() -> None:
    findings = check("traffic-simulated")
    assert findings.faults == []
    assert findings.images == findings.fine > 0
    assert findings.sample_noun == "window"


def test_scenes_are_kept_until_a_file_changes(roads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shutil.copytree(roads, tmp_path / "roads")
    first = open_splits(str(folder), task="motion")
    read: list[str] = []
    monkeypatch.setattr(form, "read_scenario", lambda place: read.append(place.name) or read_scenario(place))
    again = open_splits(str(folder), task="motion")
    assert not read
    assert again.fingerprint() == first.fingerprint()
    for one, other in zip(first.train.scenes, again.train.scenes, strict=True):
        for name in ("present", "positions", "headings", "sizes"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert one.lanes[0].left.tolist() == other.lanes[0].left.tolist()
        assert one.vehicles == other.vehicles
    (folder / "TST_Road-1_1_T-1.xml").touch()
    open_splits(str(folder), task="motion")
    assert len(read) == len(ROADS)


@pytest.mark.parametrize("damage", [b"", b"none", b"\x08" + bytes(7) + b"{}      "])
def test_damaged_scenes_in_the_cache_are_read_anew(roads: Path, tmp_path: Path, damage: bytes) -> None:
    first = open_splits(str(roads), task="motion").fingerprint()
    (kept,) = (tmp_path / "cache" / "resvision" / "scenes").iterdir()
    whole = kept.read_bytes()
    for content in (damage, whole[: len(whole) // 2]):
        kept.write_bytes(content)
        assert open_splits(str(roads), task="motion").fingerprint() == first


def test_readers_that_are_not_cut_are_left_as_they_are_and_refuse_to_be() -> None:
    images = ArrayReader(
        name="dots",
        split="train",
        classes=("dot",),
        view=PHOTOS,
        images=np.zeros((1, 8, 8), np.uint8),
        targets=np.zeros(1, int),
    )
    assert images.recut(AS_RECORDED, AS_USUAL) is images
    assert images.cut() == (AS_RECORDED, AS_USUAL)
    with pytest.raises(SettingsError, match=r"data.history_seconds: dots holds no recordings; leave it out"):
        images.recut(Timing(history_seconds=1.0), AS_USUAL)


def test_a_check_of_tracks_that_hold_no_window_says_how_long_they_are(tmp_path: Path) -> None:
    commonroad(tmp_path / "short", ROADS, frames=20)
    findings = check(str(tmp_path / "short"))
    assert findings.images == 0
    assert [fault.where for fault in findings.faults] == [
        f"{tmp_path / 'short'}, {split}" for split in ("train", "val")
    ]
    assert all("51 frames are needed" in one.what and "longest track has 20" in one.what for one in findings.faults)
