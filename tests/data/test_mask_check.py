"""`resvision data check` on images with masks: every fault it knows, each as one line that says what to do."""

import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resvision.core.errors import DataError
from resvision.core.images import VOID
from resvision.data import check as checks
from resvision.data.check import check
from resvision.data.faults import Fault
from resvision.data.sets import open_splits

DRAWS = np.random.default_rng(0)
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def photo(path: Path, height: int = 6, width: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(DRAWS.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)


def label_map(path: Path, *values: int, height: int = 6, width: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.resize(np.array(values, dtype=np.uint8), (height, width))).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten pairs of three classes."""
    for index in range(10):
        photo(tmp_path / "images" / f"{index}.png")
        label_map(tmp_path / "masks" / f"{index}.png", 0, 1, 2, VOID)
    (tmp_path / "classes.txt").write_text("road\ntree\ncar\n")
    return tmp_path


def faults(folder: Path) -> list[str]:
    return [str(each).removeprefix(f"{folder}/") for each in check(str(folder)).faults]


def refused(folder: Path) -> str:
    with pytest.raises(DataError) as raised:
        open_splits(str(folder), task="segmentation")
    return str(raised.value).removeprefix(f"{folder}/")


def test_a_folder_without_faults_exits_0(folder: Path, cli: Cli) -> None:
    assert cli("data", "check", folder) == (0, f"{folder}: 10 images, 10 fine, 0 faults, 0 in both splits\n", "")


MASK_FAULTS = {
    "other sides": (
        lambda path: label_map(path, 0, 1, 2, height=5),
        "a mask of 8 x 5 pixels for an image of 8 x 6",
    ),
    "outside": (
        lambda path: label_map(path, 0, 1, 2, 3, 9),
        "values 3, 9 outside the class list (0..2, void 255)",
    ),
    "colour": (
        photo,
        "an RGB image where a label map is due; save the labels, not colours, as grey or palette PNG",
    ),
    "void": (
        lambda path: label_map(path, VOID),
        "all void: nothing in it can be learnt or judged; leave the pair out",
    ),
    "empty": (lambda path: path.write_bytes(b""), "an empty file (0 bytes)"),
}


@pytest.mark.parametrize("kind", MASK_FAULTS)
def test_what_is_wrong_with_a_mask_is_found_before_training_and_by_the_check(folder: Path, kind: str) -> None:
    spoil, told = MASK_FAULTS[kind]
    spoil(folder / "masks" / "4.png")
    assert faults(folder) == [f"masks/4.png: {told}"]
    assert refused(folder) == f"masks/4.png: {told}"
    assert check(str(folder)).fine == 9


def test_a_partner_that_is_missing_is_named(folder: Path) -> None:
    (folder / "masks" / "4.png").unlink()
    (folder / "images" / "5.png").unlink()
    told = [
        f"images/4.png: no mask of that name in {folder / 'masks'}",
        f"masks/5.png: no image of that name in {folder / 'images'}",
    ]
    assert faults(folder) == told
    assert refused(folder).removeprefix(f"{folder}: 2 faults: ").startswith(f"{folder}/{told[0]}; {folder}/{told[1]}")


def test_a_class_that_never_occurs_is_named(folder: Path) -> None:
    (folder / "classes.txt").write_text("road\ntree\ncar\nbicycle\n")
    assert [str(each) for each in check(str(folder)).faults] == [f"{folder}: bicycle never occurs in a mask"]
    assert "bicycle never occurs in a mask" in refused(folder)


def test_a_class_that_is_in_val_only_never_occurs_in_training(tmp_path: Path) -> None:
    for split, values in (("train", (0, 1)), ("val", (0, 1, 2))):
        for index in range(2):
            photo(tmp_path / split / "images" / f"{index}.png")
            label_map(tmp_path / split / "masks" / f"{index}.png", *values)
    assert [str(each) for each in check(str(tmp_path)).faults] == [
        f"{tmp_path}: class 2 never occurs in a training mask"
    ]


def test_255_in_place_of_1_is_told_from_void(folder: Path) -> None:
    (folder / "classes.txt").write_text("background\nvessel\n")
    for index in range(10):
        label_map(folder / "masks" / f"{index}.png", 0, VOID)
    found = faults(folder)
    assert found[0] == (
        "masks/0.png: values 0 and 255 only: 255 is void, and 1 is meant for vessel; store 1 in its place, or write"
        " `0 background` and `255 object` into classes.txt, or `255 void` if it is"
    )
    assert len(found) == 11
    assert "255 is void, and 1 is meant" in refused(folder)
    (folder / "classes.txt").write_text("0 background\n255 vessel\n")
    assert faults(folder) == []
    assert open_splits(str(folder), task="segmentation").train.target(0).max() == 1


def test_one_class_is_none_to_choose_from(folder: Path) -> None:
    (folder / "classes.txt").unlink()
    for index in range(10):
        label_map(folder / "masks" / f"{index}.png", 0)
    told = "one class only, class 0; two are needed"
    assert [each.what for each in check(str(folder)).faults] == [told]
    assert refused(folder) == f"{folder}: {told}"
    for index in range(10):
        label_map(folder / "masks" / f"{index}.png", 0, VOID)
    assert refused(folder).startswith(f"{folder}: {told}; 255 is void: store 1 in its place, or write")


def test_folders_without_images_are_said_to_be_empty(tmp_path: Path) -> None:
    assert "images: no such folder" in refused(tmp_path)
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
    assert faults(tmp_path) == ["images: no images"]
    assert refused(tmp_path) == "images: no images"
    photo(tmp_path / "images" / "0.png")
    label_map(tmp_path / "masks" / "0.png", 0, 1)
    assert refused(tmp_path) == "images: one image only; two are needed to split one off"


def test_what_does_not_belong_into_the_folders_is_named(folder: Path) -> None:
    (folder / "images" / "more").mkdir()
    photo(folder / "images" / "3.jpg")
    assert faults(folder) == [
        "images/3.png: its name differs from 3.jpg in the ending only",
        "images/more: a folder inside images",
    ]


def test_train_needs_a_folder_beside_it(tmp_path: Path) -> None:
    photo(tmp_path / "train" / "images" / "0.png")
    label_map(tmp_path / "train" / "masks" / "0.png", 0, 1)
    told = f"no folder val or test beside train; add one, or name {tmp_path / 'train'} to have it split"
    assert refused(tmp_path) == f"{tmp_path}: {told}"
    (tmp_path / "val").mkdir()
    assert "val/images: no such folder" in refused(tmp_path)


def test_an_image_that_is_turned_upright_needs_an_upright_mask(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 6)).save(folder / "images" / "4.jpg", exif=exif)
    (folder / "images" / "4.png").unlink()
    assert faults(folder) == [
        "masks/4.png: a mask of 8 x 6 pixels for an image of 6 x 8; the image is turned upright by its EXIF orientation"
    ]
    label_map(folder / "masks" / "4.png", 0, 1, 2, height=8, width=6)
    assert faults(folder) == []
    open_splits(str(folder), task="segmentation")


def test_images_in_both_splits_are_named(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for index in range(2):
            photo(tmp_path / split / "images" / f"{index}.png")
            label_map(tmp_path / split / "masks" / f"{index}.png", 0, 1)
    (tmp_path / "val" / "images" / "1.png").write_bytes((tmp_path / "train" / "images" / "0.png").read_bytes())
    found = check(str(tmp_path))
    assert found.faults == []
    assert [(Path(pair.train).name, Path(pair.test).name) for pair in found.duplicates] == [("0.png", "1.png")]


def test_a_check_is_kept_until_a_file_or_the_class_list_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = check(str(folder))
    with monkeypatch.context() as patched:
        patched.setattr(checks, "_decode", None)
        assert check(str(folder)) == found
    (folder / "classes.txt").write_text("road\ntree\n")
    assert len(check(str(folder)).faults) == 10
    (folder / "classes.txt").write_text("road\ntree\ncar\n")
    label_map(folder / "masks" / "3.png", 0, 1, 2, 3)
    assert len(check(str(folder)).faults) == 1


def test_the_json_form_is_that_of_classes(folder: Path, cli: Cli) -> None:
    label_map(folder / "masks" / "3.png", 0, 7)
    code, out, _ = cli("data", "check", folder, "--json")
    found = json.loads(out)
    assert code == 1
    assert list(found) == ["name", "images", "fine", "faults", "duplicates", "notes", "again"]
    assert (found["images"], found["fine"]) == (10, 9)
    assert found["faults"] == [
        {"where": str(folder / "masks" / "3.png"), "what": "value 7 outside the class list (0..2, void 255)"}
    ]


def test_the_list_says_what_a_set_is_for(cli: Cli) -> None:
    _, out, _ = cli("data", "list", "--json")
    tasks = {row["name"]: row["task"] for row in json.loads(out)["data_sets"]}
    assert tasks["digits"] == "classification"
    assert tasks["camvid"] == "segmentation"


def test_a_reader_never_gives_values_outside_the_class_list(folder: Path) -> None:
    train = open_splits(str(folder), task="segmentation").train
    label_map(Path(train.target_source(0)), 0, 1, 44)
    with pytest.raises(DataError, match=r"value 44 outside the class list \(0\.\.2, void 255\)"):
        train.target(0)
    label_map(Path(train.target_source(1)), 0, 1, height=3)
    with pytest.raises(DataError, match="a mask of 8 x 3 pixels for an image of 8 x 6"):
        train[1]


@pytest.mark.parametrize("missing", ["images", "masks"])
def test_images_without_masks_are_no_folder_of_one_class(folder: Path, missing: str) -> None:
    shutil.rmtree(folder / missing)
    assert check(str(folder)).faults == [Fault(str(folder / missing), "no such folder")]


@pytest.mark.parametrize("kind", ["pipe", "device", "gigabytes", "inside a tar"])
def test_a_class_list_that_is_none_is_a_fault_at_once(folder: Path, kind: str) -> None:
    path = folder / "classes.txt"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(2**21)
    place = folder
    if kind == "inside a tar":
        place = folder.with_name("packed.tar")
        with tarfile.open(place, "w") as tar:
            tar.add(folder, "set")
    assert any("not a regular file" in fault or "which is the limit here" in fault for fault in faults(place))
