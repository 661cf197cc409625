"""Folders of images: layouts, the seeded split, every fault at once, and the check that decodes."""

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from resvision.core.errors import DataError, SettingsError
from resvision.core.samples import Reader
from resvision.data import check as checks
from resvision.data.check import Duplicate, check
from resvision.data.packed_names import PackedNames
from resvision.data.sets import open_splits
from resvision.data.validation import hold_out

PIXELS = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def draw(path: Path, height: int = 20, width: int = 30, *, grey: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width) if grey else (height, width, 3)
    Image.fromarray(PIXELS.integers(0, 256, shape, dtype=np.uint8)).save(path)


def grow(folder: Path, classes: dict[str, int], **options: object) -> Path:
    for name, count in classes.items():
        for number in range(count):
            draw(folder / name / f"{number}.png", **options)
    return folder


def sources(reader: Reader) -> list[str]:
    return [reader.source(index) for index in range(len(reader))]


def test_train_and_val_folders_are_the_splits(tmp_path: Path) -> None:
    grow(tmp_path / "train", {"dog": 3, "cat": 2})
    grow(tmp_path / "val", {"cat": 1, "dog": 2})
    (tmp_path / "README.txt").touch()
    train, test, rule, *_ = open_splits(str(tmp_path))
    assert isinstance(train, Reader)
    assert train.classes == test.classes == ("cat", "dog")
    assert (train.split, test.split) == ("train", "val")
    assert rule == "5 train / 3 val images, from the folders train and val"
    assert [train.target(index) for index in range(5)] == [0, 0, 1, 1, 1]
    assert sources(test) == [str(tmp_path / "val" / name) for name in ("cat/0.png", "dog/0.png", "dog/1.png")]
    assert np.array_equal(test[2].image, np.asarray(Image.open(test.source(2))))


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_with_three_folders_val_judges_on_the_way_and_test_the_result(tmp_path: Path, name: str) -> None:
    grow(tmp_path / "train", {"a": 2, "b": 2})
    grow(tmp_path / "test", {"a": 1, "b": 3})
    assert open_splits(str(tmp_path)).test.split == "test"
    assert open_splits(str(tmp_path)).validation is None
    grow(tmp_path / name, {"a": 1, "b": 1})
    splits = open_splits(str(tmp_path))
    assert isinstance(splits.validation, Reader)
    assert sources(splits.validation) == [str(tmp_path / name / part / "0.png") for part in "ab"]
    assert (len(splits.train), len(splits.test)) == (4, 4)
    assert splits.split_rule == (
        f"4 train / 2 {name} / 4 test images, from the folders train, {name} and test; {name} judges on the way, test"
        " the result"
    )
    assert splits.seen_as(channels=1).validation.view.channels == 1
    with pytest.raises(SettingsError, match="brings validation images of its own; leave --validation out"):
        hold_out(splits, 0.2)
    shutil.rmtree(tmp_path / "test")
    splits = open_splits(str(tmp_path))
    assert (splits.test.split, splits.validation) == (name, None)


def test_a_test_folder_without_labels_is_left_alone(tmp_path: Path) -> None:
    grow(tmp_path / "train", {"a": 2, "b": 2})
    grow(tmp_path / "val", {"a": 1, "b": 1})
    (tmp_path / "test").mkdir()
    draw(tmp_path / "test" / "0.png")
    splits = open_splits(str(tmp_path))
    assert (splits.test.split, splits.validation) == ("val", None)
    assert (
        splits.split_rule == "4 train / 2 val images, from the folders train and val; the folder test is left untouched"
    )


def test_two_folders_of_validation_images_are_a_fault(tmp_path: Path) -> None:
    for name in ("train", "val", "valid"):
        grow(tmp_path / name, {"a": 1, "b": 1})
    with pytest.raises(DataError, match="both val and valid, which mean the same; keep one of them"):
        open_splits(str(tmp_path))


def test_litter_is_left_out_and_counted_and_an_unreadable_image_is_not(tmp_path: Path) -> None:
    grow(tmp_path / "set", {"a": 5, "b": 5})
    strays = (
        "README.md",
        "labels.csv",
        "a/Thumbs.db",
        "a/._0.png",
        "__MACOSX/a/._0.png",
        "b/desktop.ini",
        "b/.DS_Store",
    )
    for stray in strays:
        (tmp_path / "set" / stray).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / stray).write_bytes(b"\0stray")
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(tmp_path / "set", ".")
    for name in ("set", "set.tar"):
        splits = open_splits(str(tmp_path / name))
        assert len(splits.train) + len(splits.test) == 10
        assert splits.train.classes == ("a", "b")
        assert [note.partition(":")[0] for note in splits.notes] == ["7 files or folders are left out by name"]
        assert check(str(tmp_path / name)).notes == [*splits.notes]
    (tmp_path / "set" / "a" / "9.png").write_bytes(b"\0stray")
    with pytest.raises(DataError, match=r"a/9\.png: not an image"):
        open_splits(str(tmp_path / "set"))


def test_one_level_gives_a_fifth_of_each_class_to_val(tmp_path: Path) -> None:
    grow(tmp_path, {"a": 10, "b": 3, "c": 2})
    train, test, rule, *_ = open_splits(str(tmp_path))
    assert rule == "11 train / 4 val images, a fifth of each class is val, after a shuffle with seed 0"
    assert np.bincount(test.targets).tolist() == [2, 1, 1]
    assert not set(sources(train)) & set(sources(test))
    assert len({*sources(train), *sources(test)}) == 15
    assert sources(open_splits(str(tmp_path)).test) == sources(test)


def test_the_split_of_a_class_does_not_depend_on_the_others(tmp_path: Path) -> None:
    grow(tmp_path, {"b": 10, "c": 5})
    before = sources(open_splits(str(tmp_path)).test)
    grow(tmp_path, {"a": 7})
    assert [path for path in sources(open_splits(str(tmp_path)).test) if "/a/" not in path] == before


def test_training_classes_without_val_images_are_allowed_and_said(tmp_path: Path) -> None:
    grow(tmp_path / "train", {"a": 1, "b": 1, "c": 1})
    grow(tmp_path / "val", {"a": 1})
    (tmp_path / "val" / "c").mkdir()
    assert open_splits(str(tmp_path)).split_rule.endswith("; no val images of b, c")


def test_hidden_names_are_left_out(tmp_path: Path) -> None:
    grow(tmp_path, {"a": 2, "b": 2, ".cache": 1})
    (tmp_path / "a" / ".DS_Store").touch()
    splits = open_splits(str(tmp_path))
    assert splits.train.classes == ("a", "b")
    assert len(splits.train) + len(splits.test) == 4


def test_classes_in_korean_and_with_spaces_are_fine(tmp_path: Path) -> None:
    grow(tmp_path, {"고양이": 2, "big dog": 2})
    assert open_splits(str(tmp_path)).train.classes == ("big dog", "고양이")


def test_photos_are_shown_at_224_and_small_squares_as_they_are(tmp_path: Path) -> None:
    rule = open_splits(str(grow(tmp_path / "photos", {"a": 2, "b": 2}))).train.view
    assert (rule.kind, rule.resize_px, rule.crop_px, rule.channels) == ("centre-crop", 256, 224, 3)
    small = grow(tmp_path / "small", {"a": 2, "b": 2}, height=32, width=32)
    rule = open_splits(str(small)).train.view
    assert (rule.kind, rule.resize_px, rule.crop_px, rule.channels) == ("stretch", 32, 32, 3)
    assert open_splits(str(small)).train.view == rule  # the second time from what was kept
    grey = grow(tmp_path / "grey", {"a": 2, "b": 2}, grey=True)
    assert open_splits(str(grey)).train.view.channels == 1
    draw(grey / "a" / "colour.png")
    assert open_splits(str(grey)).train.view.channels == 3


def no_classes(folder: Path) -> None:
    folder.joinpath("train").rmdir()


def cat(folder: Path) -> None:
    grow(folder / "train", {"cat": 2})


def cat_and_dog(folder: Path) -> None:
    grow(folder / "train", {"cat": 2, "dog": 2})


def one_class(folder: Path) -> None:
    cat(folder)
    grow(folder / "val", {"cat": 1})


def unknown_class(folder: Path) -> None:
    cat_and_dog(folder)
    grow(folder / "val", {"cow": 1})


def empty_class(folder: Path) -> None:
    cat(folder)
    (folder / "train" / "dog").mkdir()
    grow(folder / "val", {"cat": 1})


def line_break(folder: Path) -> None:
    grow(folder / "train", {"cat": 1, "dog": 1, "a\nb": 1})
    (folder / "val").mkdir()


def case(folder: Path) -> None:
    grow(folder / "train", {"Cat": 1, "cat": 1})
    (folder / "val").mkdir()


def nested(folder: Path) -> None:
    cat_and_dog(folder)
    (folder / "train" / "dog" / "small").mkdir()
    (folder / "val").mkdir()


def text_file(folder: Path) -> None:
    cat_and_dog(folder)
    (folder / "train" / "dog" / "notes.png").write_text("text")
    (folder / "val").mkdir()


def stray_file(folder: Path) -> None:
    cat_and_dog(folder)
    draw(folder / "train" / "stray.png")
    (folder / "val").mkdir()


def broken_link(folder: Path) -> None:
    cat_and_dog(folder)
    (folder / "train" / "dog" / "link.png").symlink_to("gone")
    (folder / "val").mkdir()


def nothing_to_test_on(folder: Path) -> None:
    cat_and_dog(folder)
    (folder / "val" / "cat").mkdir(parents=True)


def single(folder: Path) -> None:
    (folder / "train").rmdir()
    grow(folder, {"cat": 2, "dog": 1})


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (no_classes, "no class folders"),
        (cat_and_dog, "no folder val or test beside train"),
        (one_class, "train: one class only, cat"),
        (unknown_class, "val/cow: a class that train does not have"),
        (empty_class, "train/dog: an empty class"),
        (line_break, r"train/a\\nb: a class name with a line break"),
        (case, "train/cat: a class name that differs from Cat only in case"),
        (nested, "train/dog/small: a folder inside a class"),
        (text_file, "train/dog/notes.png: not an image"),
        (stray_file, "train/stray.png: a file where only class folders may be"),
        (broken_link, "train/dog/link.png: a broken link"),
        (nothing_to_test_on, "val: no images"),
        (single, "dog: one image only"),
    ],
)
def test_each_fault_is_one_line_and_in_the_check(make, reason: str, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    make(tmp_path)
    with pytest.raises(DataError, match=reason) as error:
        open_splits(str(tmp_path))
    assert "\n" not in str(error.value)
    assert any(str(fault) in str(error.value) for fault in check(str(tmp_path)).faults)


def test_many_faults_are_counted_and_the_first_three_named(tmp_path: Path) -> None:
    grow(tmp_path, {"a": 3, "b": 3})
    for number in range(5):
        (tmp_path / "a" / f"bad{number}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r": 5 faults: .*bad\d.*bad\d.*bad\d.*`resvision data check .*lists them all"):
        open_splits(str(tmp_path))


def test_the_check_finds_what_headers_hide(tmp_path: Path) -> None:
    grow(tmp_path, {"a": 4, "b": 4})
    cut = tmp_path / "b" / "2.png"
    cut.write_bytes(cut.read_bytes()[:-300])
    reader = next(each for each in open_splits(str(tmp_path))[:2] if str(cut) in sources(each))
    with pytest.raises(DataError, match=r"b/2.png: a damaged PNG"):
        reader[sources(reader).index(str(cut))]
    findings = check(str(tmp_path))
    assert (findings.images, findings.fine) == (8, 7)
    assert [fault.where for fault in findings.faults] == [str(cut)]


def test_the_same_pixels_in_both_splits_are_found(tmp_path: Path) -> None:
    grow(tmp_path / "train", {"a": 2, "b": 2})
    grow(tmp_path / "val", {"a": 2, "b": 2})
    assert check(str(tmp_path)).duplicates == []
    Image.open(tmp_path / "train" / "b" / "1.png").save(tmp_path / "val" / "b" / "9.bmp")
    findings = check(str(tmp_path))
    pair = (str(tmp_path / "train" / "b" / "1.png"), str(tmp_path / "val" / "b" / "9.bmp"))
    assert findings.duplicates == [Duplicate(*pair)]
    assert findings.faults == []
    grow(tmp_path / "test", {"a": 2, "b": 2})
    (tmp_path / "test" / "a" / "9.bmp").write_bytes(Path(pair[1]).read_bytes())
    tested, validated = str(tmp_path / "test" / "a" / "9.bmp"), pair[1]
    findings = check(str(tmp_path))
    assert findings.images == 13 + 1
    assert findings.duplicates == [
        Duplicate(train=pair[0], test=tested),
        Duplicate(train=pair[0], validation=validated),
        Duplicate(validation=validated, test=tested),
    ]
    assert str(findings.duplicates[2]) == f"{tested}: has the same pixels as {validated}, which judges on the way"
    assert findings.to_json()["duplicates"][2] == {"test": tested, "validation": validated}


def test_a_second_check_decodes_nothing_unless_asked_or_a_file_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(tmp_path, {"a": 2, "b": 2})
    calls = []
    whole = checks._decode
    monkeypatch.setattr(checks, "_decode", lambda *given: calls.append(1) or whole(*given))
    first = check(str(tmp_path))
    assert check(str(tmp_path)) == first
    assert len(calls) == 1
    check(str(tmp_path), again=True)
    assert len(calls) == 2
    (tmp_path / "a" / "0.png").write_bytes(b"no image")
    assert len(check(str(tmp_path)).faults) == 1
    assert len(calls) == 3


def test_a_changed_file_is_seen_at_the_next_start(tmp_path: Path) -> None:
    grow(tmp_path, {"a": 2, "b": 2})
    open_splits(str(tmp_path))
    (tmp_path / "a" / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a/0.png: not an image"):
        open_splits(str(tmp_path))


def test_a_cache_that_cannot_be_used_is_as_good_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    folder = grow(tmp_path / "images", {"a": 2, "b": 2})
    assert len(open_splits(str(folder)).train) == 2
    assert check(str(folder)).fine == 4


def test_names_are_packed_and_come_back_as_they_were() -> None:
    names = ["a.png", "", "고양이.jpg", os.fsdecode(b"\xff.png"), "b c.png"]
    packed = PackedNames(names)
    assert [packed[index] for index in range(len(names))] == names


def test_imagenet_takes_its_names_from_torchvisions_file(tmp_path: Path) -> None:
    wnids = {"n01": 2, "n02": 2, "n03": 2}
    grow(tmp_path / "train", wnids)
    grow(tmp_path / "val", wnids)
    assert open_splits("imagenet", root=tmp_path).train.classes == tuple(wnids)
    torch.save(({"n01": ("crane", "bird"), "n02": ("tench",), "n03": ("crane",)}, []), tmp_path / "meta.bin")
    splits = open_splits("imagenet", root=tmp_path)
    assert splits.train.classes == splits.test.classes == ("crane n01", "tench", "crane n03")
    assert splits.train.source(0) == str(tmp_path / "train" / "n01" / "0.png")
    (tmp_path / "meta.bin").write_bytes(b"text")
    with pytest.raises(DataError, match=r"meta.bin: not torchvision's table"):
        open_splits("imagenet", root=tmp_path)


def test_imagenet_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"no train and val folders in {tmp_path}.*--root"):
        open_splits("imagenet", root=tmp_path)


def test_other_bytes_of_equal_size_and_time_are_checked_anew(tmp_path: Path) -> None:
    grow(tmp_path, {"a": 2, "b": 2})
    file = tmp_path / "a" / "1.png"
    assert check(str(tmp_path)).faults == []
    assert check(str(tmp_path)).again
    status = file.stat()
    file.write_bytes(file.read_bytes()[:-200] + bytes(200))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert [fault.where for fault in check(str(tmp_path)).faults] == [str(file)]


def test_a_check_that_decoded_nothing_says_how_to_look_again(tmp_path: Path, cli: Callable[..., object]) -> None:
    grow(tmp_path, {"a": 2, "b": 2})
    counts = f"{tmp_path}: 4 images, 4 fine, 0 faults, 0 in both splits\n"
    assert cli("data", "check", tmp_path) == (0, counts, "")
    said = "as found when these files were last decoded; --again decodes them anew\n"
    assert cli("data", "check", tmp_path) == (0, said + counts, "")
    assert cli("data", "check", tmp_path, "--again") == (0, counts, "")


def test_classes_that_are_links_to_folders_are_read_and_loops_end(tmp_path: Path) -> None:
    grow(tmp_path / "elsewhere", {"a": 3})
    grow(tmp_path / "set", {"b": 3})
    (tmp_path / "set" / "a").symlink_to(tmp_path / "elsewhere" / "a")
    assert open_splits(str(tmp_path / "set")).train.classes == ("a", "b")
    (tmp_path / "set" / "b" / "loop").symlink_to(tmp_path / "set")
    with pytest.raises(DataError, match="b/loop: a folder inside a class"):
        open_splits(str(tmp_path / "set"))


def test_what_lies_beside_split_folders_is_counted(tmp_path: Path) -> None:
    for name in ("train", "val"):
        grow(tmp_path / name, {"a": 1, "b": 1})
    (tmp_path / "README.md").touch()
    (tmp_path / "holdout").mkdir()
    assert open_splits(str(tmp_path)).notes == (
        f"1 file or folder is left out by name: {tmp_path / 'README.md'}",
        f"1 file or folder is left out beside the splits: {tmp_path / 'holdout'}",
    )
