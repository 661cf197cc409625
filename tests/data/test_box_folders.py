"""Boxes in the forms of Pascal VOC, COCO and YOLO: what is stored is what is read, whatever the layout."""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from resvision.core.errors import DataError, SettingsError
from resvision.data import coco_boxes, yolo_boxes
from resvision.data.box_reader import BoxReader
from resvision.data.folds import open_whole
from resvision.data.sets import open_splits
from tests.box_folders import FORMS, SCENES, coco, coco_json, picture, text, voc, voc_xml, yolo, yolo_lines


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def stored(reader: BoxReader, index: int) -> list[tuple[str, float, float, float, float]]:
    """The boxes of an image with the names of their classes."""
    targets = reader.target(index)
    return [(reader.classes[label], *box) for label, box in zip(targets.labels, targets.boxes.tolist(), strict=True)]


def require_scenes(*readers: BoxReader) -> None:
    for reader in readers:
        for index in range(len(reader)):
            sample, scene = reader[index], SCENES[Path(reader.source(index)).stem]
            assert sample.image.shape == (60, 80, 3)
            boxes = stored(reader, index)
            assert [box[0] for box in boxes] == [box[0] for box in scene]
            assert np.allclose([box[1:] for box in boxes], [box[1:] for box in scene], atol=1e-6, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_a_folder_of_each_form_is_known_by_its_looks(tmp_path: Path, form: str) -> None:
    splits = open_splits(str(FORMS[form](tmp_path / "set")), task=None)
    assert [len(reader) for reader in splits.readers] == [3, 2]
    assert splits.train.classes == splits.test.classes == ("cat", "dog")
    require_scenes(*splits.readers)


@pytest.mark.parametrize("form", FORMS)
def test_an_archive_of_each_form_is_read_in_place(tmp_path: Path, form: str) -> None:
    folder = FORMS[form](tmp_path / "set")
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(folder, "set")
    require_scenes(*open_splits(str(tmp_path / "set.tar"), task="detection").readers)


def test_a_set_with_boxes_is_no_set_for_another_task(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a data set for detection, not for segmentation"):
        open_splits(str(yolo(tmp_path)), task="segmentation")


@pytest.mark.parametrize("form", FORMS)
def test_an_image_that_has_changed_since_is_refused(tmp_path: Path, form: str) -> None:
    train = open_splits(str(FORMS[form](tmp_path)), task="detection").train
    picture(Path(train.source(0)), 20, 10)
    with pytest.raises(DataError, match="it has changed since the set was opened"):
        train[0]


# Pascal VOC ----------------------------------------------------------------------------------------------------------


def test_pixels_of_voc_count_from_one_and_belong_to_the_box(tmp_path: Path) -> None:
    folder = voc(tmp_path)
    box = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>80</xmax><ymax>2</ymax></bndbox>"
    part = f"<part><name>head</name>{box}</part>"
    document = f"<annotation><object><name>dog</name>{part}<difficult>1</difficult>{box}</object></annotation>"
    text(folder / "Annotations" / "b.xml", document)
    train = open_splits(str(folder), task="detection").train
    assert stored(train, 1) == [("dog", 0, 0, 80, 2)]
    assert train.target(1).difficult.tolist() == [True]


def test_lists_say_the_splits_of_voc(tmp_path: Path) -> None:
    folder = voc(tmp_path, train="ab", val="d")
    text(folder / "ImageSets" / "Main" / "cat_train.txt", "a 1\nb -1\n")
    splits = open_splits(str(folder), task="detection")
    assert [Path(splits.train.source(index)).stem for index in range(2)] == ["a", "b"]
    assert splits.notes == ("left out 2 files in JPEGImages that no list names",)
    text(folder / "ImageSets" / "Main" / "test.txt", "e\n")
    splits = open_splits(str(folder), task="detection")
    assert splits.validation is not None
    assert (splits.validation.split, splits.test.split) == ("val", "test")
    assert splits.split_rule.endswith("val judges on the way, test the result")
    lists = folder / "ImageSets" / "Main"
    (lists / "train.txt").rename(lists / "trainval.txt")
    assert open_splits(str(folder), task="detection").validation is None


def test_xml_may_lie_beside_images_in_folders_of_splits(tmp_path: Path) -> None:
    for split, names in (("train", "ab"), ("valid", "de")):
        for name in names:
            picture(tmp_path / split / f"{name}.png")
            text(tmp_path / split / f"{name}.xml", voc_xml(SCENES[name]))
    splits = open_splits(str(tmp_path), task="detection")
    require_scenes(*splits.readers)
    assert splits.notes == ()


def test_a_fifth_of_a_folder_without_splits_is_held_out(tmp_path: Path) -> None:
    for name, boxes in SCENES.items():
        picture(tmp_path / "images" / f"{name}.png")
        text(tmp_path / "annotations" / f"{name}.xml", voc_xml(boxes))
    splits = open_splits(str(tmp_path), task="detection")
    assert splits.split_rule == "4 train / 1 val images, a fifth is val, after a shuffle with seed 0"
    require_scenes(*splits.readers)
    whole = open_whole(str(tmp_path), "detection")
    assert whole is not None
    assert len(whole.reader) == 5


def test_classes_of_voc_are_those_of_a_list_where_there_is_one(tmp_path: Path) -> None:
    text(voc(tmp_path) / "classes.txt", "dog\ncat\n\n")
    assert open_splits(str(tmp_path), task="detection").train.classes == ("dog", "cat")


# COCO ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1, 7])
def test_ids_of_coco_are_any_numbers_and_come_back(tmp_path: Path, first: int) -> None:
    splits = open_splits(str(coco(tmp_path, first=first)), task="detection")
    require_scenes(*splits.readers)
    assert [reader.category_ids for reader in splits.readers] == [(17, 18), (5, 3)]
    assert splits.train.sources.image_ids.tolist() == [first, first + 1, first + 2]
    assert splits.train.target(0).areas.tolist() == [480.0, 72.0]


def test_crowds_and_areas_of_coco_are_kept(tmp_path: Path) -> None:
    document = coco_json("ab", {"cat": 1, "dog": 2})
    document["annotations"][0] |= {"iscrowd": 1, "area": 0}
    del document["annotations"][1]["area"], document["annotations"][1]["iscrowd"]
    text(tmp_path / "labels.json", json.dumps(document))
    for name in "ab":
        picture(tmp_path / f"{name}.png")
    (whole,) = [open_whole(str(tmp_path), "detection")]
    assert whole is not None
    targets = whole.reader.target(0)
    assert targets.crowd.tolist() == [True, False]
    assert targets.areas.tolist() == [960.0, 144.0]
    require_scenes(*open_splits(str(tmp_path / "labels.json"), task="detection").readers)


def test_a_category_that_is_the_kind_of_others_is_no_class(tmp_path: Path) -> None:
    for split, names in (("train", "abc"), ("valid", "d"), ("test", "e")):
        document = coco_json(names, {"cat": 1, "dog": 2})
        kinds = [{**category, "supercategory": "pets"} for category in document["categories"]]
        document["categories"] = [{"id": 0, "name": "pets", "supercategory": "none"}, *kinds]
        text(tmp_path / split / "_annotations.coco.json", json.dumps(document))
        for name in names:
            picture(tmp_path / split / f"{name}.png")
    splits = open_splits(str(tmp_path), task="detection")
    assert splits.train.classes == ("cat", "dog")
    assert [reader.split for reader in splits.readers] == ["train", "test", "val"]
    require_scenes(*splits.readers)


def test_polygons_of_coco_stand_in_for_a_missing_box(tmp_path: Path) -> None:
    path = coco(tmp_path) / "annotations" / "instances_train2017.json"
    document = json.loads(path.read_text())
    del document["annotations"][0]["bbox"]
    document["annotations"][0]["segmentation"] = [[8, 6, 40, 20, 10, 36], [9, 7, 11, 9, 10, 12]]
    path.write_text(json.dumps(document))
    scan = coco_boxes.LAYOUT.scan(tmp_path, ())
    assert "the extent of polygons stands for 1 box of instances_train2017.json" in scan.notes
    require_scenes(*scan.readers)


# YOLO ----------------------------------------------------------------------------------------------------------------


def test_a_folder_of_yolo_may_be_named_by_its_description(tmp_path: Path) -> None:
    require_scenes(*open_splits(str(yolo(tmp_path) / "data.yaml"), task="detection").readers)


def test_a_description_that_a_person_names_may_lead_elsewhere(tmp_path: Path) -> None:
    yolo(tmp_path / "images-of-mine")
    lines = ["path: ../images-of-mine", "train: images/train", "val: images/val", "names: [cat, dog]"]
    path = text(tmp_path / "settings" / "data.yaml", "\n".join(lines))
    require_scenes(*open_splits(str(path), task="detection").readers)
    with pytest.raises(DataError, match=r"data\.yaml: train: no images/train in "):
        open_splits(str(path.parent), task="detection")


def test_needless_parents_in_a_description_are_understood(tmp_path: Path) -> None:
    for split, names in (("train", "abc"), ("valid", "d"), ("test", "e")):
        for name in names:
            picture(tmp_path / split / "images" / f"{name}.png")
            text(tmp_path / split / "labels" / f"{name}.txt", yolo_lines(SCENES[name]))
    lines = ["train: ../train/images", "val: ../valid/images", "test: ../test/images", "nc: 2", "names: ['cat', 'dog']"]
    text(tmp_path / "data.yaml", "\n".join(lines))
    splits = open_splits(str(tmp_path), task="detection")
    assert [reader.split for reader in splits.readers] == ["train", "test", "val"]
    require_scenes(*splits.readers)
    (tmp_path / "data.yaml").unlink()
    text(tmp_path / "classes.txt", "cat\ndog\n")
    require_scenes(*open_splits(str(tmp_path), task="detection").readers)


def test_lists_of_images_say_the_splits_of_yolo(tmp_path: Path) -> None:
    for name, boxes in SCENES.items():
        picture(tmp_path / "images" / f"{name}.png")
        text(tmp_path / "labels" / f"{name}.txt", yolo_lines(boxes))
    text(tmp_path / "train.txt", "./images/a.png\n./images/b.png\nimages/c.png\n")
    text(tmp_path / "val.txt", "images/d.png\n")
    text(tmp_path / "data.yaml", "train: train.txt\nval: val.txt\nnames: {0: cat, 1: dog}\n")
    splits = open_splits(str(tmp_path), task="detection")
    assert [len(reader) for reader in splits.readers] == [3, 1]
    require_scenes(*splits.readers)


def test_texts_may_lie_beside_images(tmp_path: Path) -> None:
    for name, boxes in SCENES.items():
        picture(tmp_path / f"{name}.png")
        text(tmp_path / f"{name}.txt", yolo_lines(boxes))
    text(tmp_path / "classes.txt", "cat\ndog\n")
    require_scenes(*open_splits(str(tmp_path), task="detection").readers)


def test_polygons_of_yolo_become_their_extent_and_are_counted(tmp_path: Path) -> None:
    path = yolo(tmp_path) / "labels" / "train" / "b.txt"
    path.write_text("1 0 0 1 0.5 0.25 1\n")
    scan = yolo_boxes.LAYOUT.scan(tmp_path, ())
    assert scan.notes == ["the extent of polygons stands for 1 box of train"]
    require_scenes(*scan.readers)


def test_test_images_without_labels_are_left_untouched(tmp_path: Path) -> None:
    yolo(tmp_path)
    picture(tmp_path / "images" / "test" / "f.png")
    shutil.copy(tmp_path / "data.yaml", tmp_path / "old.txt")
    with (tmp_path / "data.yaml").open("a") as file:
        file.write("test: images/test\n")
    assert [reader.split for reader in open_splits(str(tmp_path), task="detection").readers] == ["train", "val"]
