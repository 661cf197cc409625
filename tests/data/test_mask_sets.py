"""Named sets of label maps, each in a tiny copy of its layout; CamVid and ISBI 2012 also as they are, where present."""

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from PIL import Image

from resvision.core.errors import DataError
from resvision.core.images import VOID
from resvision.core.masks import label_colours, write_mask
from resvision.core.samples import Reader
from resvision.data import camvid, coco_json, isbi2012, sets
from resvision.data.check import check
from resvision.data.coco_seg import drawn
from resvision.data.pixel_counts import pixel_counts
from resvision.data.roots import default_root
from resvision.data.sets import open_splits
from resvision.data.splits import Splits
from resvision.geometry import polygons
from resvision.geometry.polygons import inside_polygon

REAL = default_root()
MASKED = [row.name for row in sets.SETS if row.task == "segmentation"]
DRAWS = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESVISION_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def photo(path: Path, *, grey: bool = False, sides: tuple[int, int] = (6, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(DRAWS.integers(0, 256, sides if grey else (*sides, 3), dtype=np.uint8)).save(path)


def label_map(path: Path, *numbers: int, sides: tuple[int, int] = (6, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.resize(np.array(numbers, dtype=np.uint8), sides)).save(path)


def of(name: str, root: Path) -> Splits:
    """The set, opened from its root, whose readers are those of masks."""
    splits = open_splits(name, root=root, task="segmentation")
    for reader in splits[:2]:
        assert isinstance(reader, Reader)
        assert reader.view.kind == "whole"
        assert len(reader.classes) == sets.row(name).classes
        assert reader[0].image.shape[:2] == reader[0].target.shape
    return splits


@pytest.mark.parametrize("name", [name for name in MASKED if sets.row(name).finder])
def test_a_set_that_is_missing_says_where_it_belongs(name: str, tmp_path: Path) -> None:
    assert sets.row(name).where(None) is None
    with pytest.raises(DataError, match=rf"{name}: no .* in {tmp_path / 'data'}; `--root FOLDER` names the folder"):
        open_splits(name, task="segmentation")
    with pytest.raises(DataError, match=f"{name}: no "):
        check(name)


def test_camvid_is_two_folders_with_11_void(tmp_path: Path) -> None:
    for split in ("train", "val"):
        photo(tmp_path / "camvid" / split / "images" / "a.jpg")
        label_map(tmp_path / "camvid" / split / "masks" / "a.png", *range(12))
    train = of("camvid", tmp_path).train
    assert train.target(0)[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert train.target(0)[1].tolist() == [8, 9, 10, VOID, 0, 1, 2, 3]
    assert len(of("camvid", tmp_path / "camvid").test) == 1
    assert check("camvid", root=tmp_path).faults == []
    photo(tmp_path / "camvid" / "test" / "images" / "b.jpg")
    label_map(tmp_path / "camvid" / "test" / "masks" / "b.png", *range(12))
    splits = of("camvid", tmp_path)
    assert splits.validation is not None
    assert (splits.test.split, splits.validation.split) == ("test", "val")


def test_isbi_2012_holds_out_the_last_slices_in_the_order_of_numbers(tmp_path: Path) -> None:
    for index in range(12):
        photo(tmp_path / "isbi2012" / "images" / f"{index}.png", grey=True)
        label_map(tmp_path / "isbi2012" / "labels" / f"{index}.png", 0, 255, 255)
    splits = of("isbi2012", tmp_path)
    assert [Path(splits.test.source(index)).stem for index in range(6)] == ["6", "7", "8", "9", "10", "11"]
    assert splits.train.view.channels == 1
    assert splits.train.target(0)[0].tolist() == [0, 1, 1, 0, 1, 1, 0, 1]
    assert check("isbi2012", root=tmp_path).faults == []


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    place = tmp_path / "VOCdevkit" / "VOC2012"
    (place / "SegmentationClass").mkdir(parents=True)
    (place / "ImageSets" / "Segmentation").mkdir(parents=True)
    for split, names in (("train", ["2007_1", "2007_2"]), ("val", ["2007_3"])):
        (place / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for name in names:
            photo(place / "JPEGImages" / f"{name}.jpg")
            stored = np.resize(np.array([*range(21), VOID], dtype=np.uint8), (6, 8))
            write_mask(place / "SegmentationClass" / f"{name}.png", stored, label_colours([]))
    photo(place / "JPEGImages" / "unlabelled.jpg")
    return place


def test_voc_is_what_its_lists_name(tmp_path: Path, voc: Path) -> None:
    splits = of("voc-seg", tmp_path)
    assert (len(splits.train), len(splits.test)) == (2, 1)
    assert splits.train.classes[15] == "person"
    assert [*np.unique(splits.train.target(0))] == [*range(21), VOID]
    assert len(of("voc-seg", tmp_path / "VOCdevkit").train) == len(of("voc-seg", voc).train) == 2
    assert check("voc-seg", root=tmp_path).faults == []


def test_files_that_lists_of_voc_name_and_that_are_not_there_are_faults(tmp_path: Path, voc: Path) -> None:
    (voc / "JPEGImages" / "2007_2.jpg").unlink()
    (voc / "ImageSets" / "Segmentation" / "val.txt").write_text("")
    assert [str(each) for each in check("voc-seg", root=tmp_path).faults][:2] == [
        f"{voc / 'JPEGImages' / '2007_2.jpg'}: no such file, but train.txt names it",
        f"{voc / 'ImageSets' / 'Segmentation' / 'val.txt'}: an empty list",
    ]
    with pytest.raises(DataError, match=r"2 faults: .*`resvision data check voc-seg` with the same --root"):
        open_splits("voc-seg", root=tmp_path, task="segmentation")


def test_cityscapes_maps_ids_to_the_classes_of_its_benchmark(tmp_path: Path) -> None:
    ids = [*range(34), 255]
    for split, city in (("train", "ulm"), ("train", "bonn"), ("val", "lindau")):
        for scene in ("000000_000019", "000001_000019"):
            photo(tmp_path / "leftImg8bit" / split / city / f"{city}_{scene}_leftImg8bit.png")
            label_map(tmp_path / "gtFine" / split / city / f"{city}_{scene}_gtFine_labelIds.png", *ids)
            label_map(tmp_path / "gtFine" / split / city / f"{city}_{scene}_gtFine_instanceIds.png", 0)
    splits = of("cityscapes", tmp_path)
    assert (len(splits.train), len(splits.test)) == (4, 2)
    mask = splits.train.target(0).ravel()[: len(ids)]
    classes = {7: "road", 8: "sidewalk", 11: "building", 23: "sky", 26: "car", 33: "bicycle"}
    assert {value: splits.train.classes[mask[value]] for value in classes} == classes
    assert [value for value, label in zip(ids, mask, strict=True) if label == VOID] == [
        0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, 255
    ]  # fmt: skip
    assert sorted(set(mask.tolist()) - {VOID}) == [*range(19)]
    assert check("cityscapes", root=tmp_path).faults == []


def test_ade20k_counts_from_1_and_takes_names_where_they_are(tmp_path: Path) -> None:
    place = tmp_path / "ADEChallengeData2016"
    for split in ("training", "validation"):
        photo(place / "images" / split / "a.jpg", sides=(12, 13))
        label_map(place / "annotations" / split / "a.png", *range(151), sides=(12, 13))
    splits = of("ade20k", tmp_path)
    assert splits.train.classes[0] == "class 1"
    assert splits.train.target(0).ravel()[:151].tolist() == [VOID, *range(150)]
    rows = [f"{index}\t0.01\t1{index}\t1\t1\tthing{index}, it\n" for index in range(1, 149)]
    rows += [f"{index}\t0.01\t10\t1\t0\tscreen, of kind {index}\n" for index in (149, 150)]
    (place / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tStuff\tName\n" + "".join(rows))
    named = of("ade20k", tmp_path).train.classes
    assert (named[0], named[147], named[148]) == ("thing1", "thing148", "screen, of kind 149")
    assert check("ade20k", root=tmp_path).faults == []
    (place / "objectInfo150.txt").write_text("".join(rows[:10]))
    with pytest.raises(DataError, match=r"objectInfo150\.txt: 10 rows of classes where 150 are due"):
        open_splits("ade20k", root=tmp_path, task="segmentation")


def coco(root: Path, annotations: list[dict[str, object]], *, categories: int = 80) -> Path:
    for split in ("train", "val"):
        photo(root / "coco" / f"{split}2017" / "7.jpg", sides=(6, 8))
        told = {
            "info": {},
            "images": [{"id": 7, "file_name": "7.jpg", "height": 6, "width": 8, "license": 1}],
            "categories": [{"id": 2 * number, "name": f"thing {number}"} for number in range(1, categories + 1)],
            "annotations": [{"id": 1, "image_id": 7, "area": 2.0, **each} for each in annotations],
        }
        (root / "coco" / "annotations").mkdir(exist_ok=True)
        (root / "coco" / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(told))
    return root


def test_coco_draws_polygons_and_runs_and_overlaps_are_void(tmp_path: Path) -> None:
    square = [1, 1, 4, 1, 4, 3, 1, 3]  # x 1..3, y 1..2
    runs = {"size": [6, 8], "counts": [6 * 3, 6, 6 * 4]}  # column 3
    again = [0, 5, 2, 5, 2, 6, 0, 6]
    annotations = [
        {"category_id": 2, "segmentation": [square, again], "iscrowd": 0},
        {"category_id": 160, "segmentation": runs, "iscrowd": 1},
        {"category_id": 2, "segmentation": [again], "iscrowd": 0},
    ]
    train = of("coco-seg", coco(tmp_path, annotations)).train
    expected = np.zeros((6, 8), dtype=np.uint8)
    expected[:, 3] = 80
    expected[1:3, 1:3] = expected[5, :2] = 1
    expected[1:3, 3] = VOID
    assert np.array_equal(train.target(0), expected)
    assert train.classes[:2] == ("background", "thing 1")
    assert train.target_source(0).endswith("instances_train2017.json[7]")
    assert pixel_counts(train)[[0, 1, 80]].tolist() == [48 - 6 - 6, 6, 4]


@pytest.mark.parametrize(
    ("segmentation", "category", "told"),
    [
        ({"size": [6, 8], "counts": [6, 6]}, 2, "runs of 12 pixels in place of 48"),
        ({"size": [8, 6], "counts": [48]}, 2, "runs of an image of 6 x 8 pixels"),
        ({"size": [6, 8], "counts": "abc"}, 2, "cannot be drawn"),
        ([[1, 2, 3]], 2, "an odd number of coordinates"),
    ],
)
def test_what_coco_cannot_mean_names_the_image(tmp_path: Path, segmentation: object, category: int, told: str) -> None:
    root = coco(tmp_path, [{"category_id": category, "segmentation": segmentation}])
    train = open_splits("coco-seg", root=root, task="segmentation").train
    with pytest.raises(DataError, match=rf"instances_train2017\.json\[7\]: .*{told}"):
        train.target(0)
    assert told in str(check("coco-seg", root=root).faults[0])


def test_annotations_of_coco_that_are_none_are_a_fault(tmp_path: Path) -> None:
    root = coco(tmp_path, [])
    (root / "coco" / "annotations" / "instances_val2017.json").write_text('{"images": 3}')
    with pytest.raises(DataError, match=r"instances_val2017\.json: no annotations of COCO"):
        open_splits("coco-seg", root=root, task="segmentation")
    coco(tmp_path, [])
    (root / "coco" / "val2017" / "7.jpg").unlink()
    with pytest.raises(DataError, match=r"7\.jpg: no such file, but instances_val2017\.json names it"):
        open_splits("coco-seg", root=root, task="segmentation")
    photo(root / "coco" / "val2017" / "7.jpg", sides=(6, 9))
    with pytest.raises(DataError, match=r"\[7\]: a mask of 8 x 6 pixels for an image of 9 x 6"):
        open_splits("coco-seg", root=root, task="segmentation")


def rewrite(root: Path, change: Callable[[dict[str, Any]], object], split: str = "val") -> str:
    """The error of opening COCO once the annotations of a split were changed."""
    path = root / "coco" / "annotations" / f"instances_{split}2017.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(DataError) as raised:
        open_splits("coco-seg", root=root, task="segmentation")
    assert {fault.what for fault in check("coco-seg", root=root).faults if fault.what in str(raised.value)}
    return str(raised.value)


TRIANGLE = [{"category_id": 2, "segmentation": [[1, 1, 4, 1, 4, 3]]}]
COCO_FAULTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "two categories of the name thing 1; join or rename them": lambda told: told["categories"][1].update(
        name="thing 1"
    ),
    "two categories of the id 2": lambda told: told["categories"][1].update(id=2),
    r"the category name a\u2028b is not printable": lambda told: told["categories"][0].update(name="a\u2028b"),
    "two images of the id 7": lambda told: told["images"].append({**told["images"][0], "file_name": "8.jpg"}),
    "two images of the file 7.jpg": lambda told: told["images"].append({**told["images"][0], "id": 8}),
    "instances of images that are not listed: 1, such as 9": lambda told: told["annotations"][0].update(image_id=9),
    "instances of categories that are not listed: 1, such as 3": lambda told: told["annotations"][0].update(
        category_id=3
    ),
    "no instances: all 1 images would be background throughout": lambda told: told["annotations"].clear(),
    "a mask of 60,000 x 60,000 pixels for an image of 8 x 6": lambda told: told["images"][0].update(
        height=60_000, width=60_000
    ),
    "a mask of 8 x -6 pixels for an image of 8 x 6": lambda told: told["images"][0].update(height=-6),
}


@pytest.mark.parametrize("told", COCO_FAULTS)
def test_what_annotations_of_coco_cannot_mean_is_a_fault_before_training(tmp_path: Path, told: str) -> None:
    root = coco(tmp_path, TRIANGLE)
    photo(root / "coco" / "val2017" / "8.jpg", sides=(6, 8))
    tracemalloc.start()
    said = rewrite(root, COCO_FAULTS[told])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told in said
    assert peak < 2**24


def test_a_category_called_background_is_class_0(tmp_path: Path) -> None:
    square, all_of_it = [1, 1, 4, 1, 4, 3, 1, 3], [0, 0, 8, 0, 8, 6, 0, 6]
    instances = [{"category_id": 4, "segmentation": [square]}, {"category_id": 2, "segmentation": [all_of_it]}]
    root = coco(tmp_path, instances, categories=2)
    for split in ("train", "val"):
        path = root / "coco" / "annotations" / f"instances_{split}2017.json"
        path.write_text(path.read_text().replace("thing 1", "Background"))
    train = open_splits("coco-seg", root=root, task="segmentation").train
    assert train.classes == ("background", "thing 2")
    expected = np.zeros((6, 8), dtype=np.uint8)
    expected[1:3, 1:4] = 1
    assert np.array_equal(train.target(0), expected)


def test_more_categories_than_a_label_map_holds_are_one_fault(tmp_path: Path) -> None:
    root = coco(tmp_path, TRIANGLE, categories=300)
    assert "300 categories; a label map holds 1 to 254" in str(check("coco-seg", root=root).faults)


@pytest.mark.parametrize("coordinate", [1e308, -1e308, -9.0, 17.0])
def test_a_corner_far_outside_the_image_cannot_be_drawn(tmp_path: Path, coordinate: float) -> None:
    root = coco(tmp_path, [{"category_id": 2, "segmentation": [[1, 1, coordinate, 1, 4, 3]]}])
    train = open_splits("coco-seg", root=root, task="segmentation").train
    with pytest.raises(DataError, match=r"\[7\]: .*a corner far outside the image of 8 x 6 pixels"):
        train.target(0)
    assert "a corner far outside" in str(check("coco-seg", root=root).faults[0])


def test_a_corner_a_little_outside_the_image_is_cut_off(tmp_path: Path) -> None:
    root = coco(tmp_path, [{"category_id": 2, "segmentation": [[-1, -1, 4, -1, 4, 7, -1, 7]]}])
    mask = open_splits("coco-seg", root=root, task="segmentation").train.target(0)
    assert mask[:, :4].all()
    assert not mask[:, 4:].any()


@pytest.mark.parametrize("nested", ["annotations", "info"])
def test_annotations_that_are_nested_too_deep_are_a_fault(tmp_path: Path, nested: str) -> None:
    root = coco(tmp_path, TRIANGLE)
    path = root / "coco" / "annotations" / "instances_val2017.json"
    document = {**json.loads(path.read_text()), nested: "HERE"}
    path.write_text(json.dumps(document).replace('"HERE"', "[" * 200_000 + "]" * 200_000))
    with pytest.raises(DataError, match=r"instances_val2017\.json: no annotations of COCO"):
        open_splits("coco-seg", root=root, task="segmentation")


def test_annotations_above_the_limit_and_pipes_are_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = coco(tmp_path, TRIANGLE)
    monkeypatch.setattr(coco_json, "ANNOTATION_BYTES", 100)
    with pytest.raises(DataError, match="more than 100 bytes, which is the limit here"):
        open_splits("coco-seg", root=root, task="segmentation")
    monkeypatch.undo()
    (root / "coco" / "annotations" / "instances_val2017.json").unlink()
    os.mkfifo(root / "coco" / "annotations" / "instances_val2017.json")
    with pytest.raises(DataError, match=r"instances_val2017\.json: cannot be read \(not a regular file\)"):
        open_splits("coco-seg", root=root, task="segmentation")


def test_an_image_of_coco_that_has_an_orientation_is_refused_where_sides_do_not_tell(tmp_path: Path) -> None:
    root = coco(tmp_path, TRIANGLE)
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.new("RGB", (8, 6)).save(root / "coco" / "train2017" / "7.jpg", exif=exif)
    with pytest.raises(DataError, match="its image is turned upright by EXIF orientation 3"):
        open_splits("coco-seg", root=root, task="segmentation")


def test_files_that_annotations_do_not_name_are_counted(tmp_path: Path) -> None:
    root = coco(tmp_path, TRIANGLE)
    photo(root / "coco" / "train2017" / "8.jpg")
    splits = open_splits("coco-seg", root=root, task="segmentation")
    assert splits.notes == ("1 files in train2017 are left out, since instances_train2017.json does not name them",)
    assert check("coco-seg", root=root).notes == [*splits.notes]


def test_a_polygon_of_many_corners_is_drawn_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    polygon = np.random.default_rng(0).uniform(0, 30, (50, 2))
    whole = inside_polygon(polygon, 30, 30)
    monkeypatch.setattr(polygons, "_EDGES", 7)
    assert np.array_equal(inside_polygon(polygon, 30, 30), whole)


def test_polygons_hold_the_centres_that_matplotlib_finds_inside() -> None:
    y, x = np.mgrid[:40, :50] + 0.5
    centres = np.stack([x.ravel(), y.ravel()], axis=1)
    draws = np.random.default_rng(0)
    for corners in (3, 4, 5, 9):
        polygon = draws.uniform(-5, 55, (corners, 2))
        theirs = Outline(polygon).contains_points(centres).reshape(40, 50)
        assert 0 < theirs.mean() < 1
        assert np.array_equal(inside_polygon(polygon, 40, 50), theirs)


def test_a_polygon_and_its_neighbour_share_no_pixel_and_miss_none() -> None:
    cut = DRAWS.uniform(0, 20, 6).tolist()
    left = [0, 0, 10, 0, *cut, 10, 20, 0, 20]
    right = [20, 0, 10, 0, *cut, 10, 20, 20, 20]
    one, other = drawn([left], 20, 20), drawn([right], 20, 20)
    assert (one ^ other).all()


def real(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not (REAL / name).is_dir(), reason=f"no {name} in {REAL}; $RESVISION_DATA names it")


@real("camvid")
def test_the_real_camvid_has_every_class_and_no_fault() -> None:
    splits = camvid.open_splits(REAL)
    assert (len(splits.train), len(splits.test)) == (367, 101)
    assert splits.train[0].image.shape == (360, 480, 3)
    assert pixel_counts(splits.test).tolist() == [
        1601620, 4531180, 98499, 5053176, 1521751, 2851125, 155724, 537197, 304716, 113531, 387010
    ]  # fmt: skip


@real("isbi2012")
def test_the_real_isbi_2012_is_a_fifth_membrane() -> None:
    splits = isbi2012.open_splits(REAL)
    assert (len(splits.train), len(splits.test)) == (24, 6)
    counts = pixel_counts(splits.train)
    assert counts.sum() == 24 * 512 * 512
    assert 0.2 < counts[0] / counts.sum() < 0.25
    sample = splits.train[0]
    assert sample.image[sample.target == 0].mean() < sample.image[sample.target == 1].mean() - 30
