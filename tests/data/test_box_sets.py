"""Named sets with boxes: their folders as published, and the splits that papers use."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resvision.core.errors import DataError
from resvision.data import bccd
from resvision.data.check import check
from resvision.data.roots import default_root
from resvision.data.sets import open_splits

REAL = default_root()
XML = (
    "<annotation><filename>{stem}.jpg</filename><size><width>40</width><height>30</height><depth>3</depth></size>"
    "<object><name>{name}</name><difficult>0</difficult><bndbox><xmin>3</xmin><ymin>2</ymin><xmax>{x2}</xmax>"
    "<ymax>20</ymax></bndbox></object></annotation>"
)


def year(devkit: Path, name: str, lists: dict[str, dict[str, str]]) -> None:
    """A year of VOC whose lists name images, each with one object of a class."""
    folders = [devkit / name / part for part in ("JPEGImages", "Annotations", "ImageSets/Main")]
    for folder in folders:
        folder.mkdir(parents=True)
    for listed, members in lists.items():
        (folders[2] / f"{listed}.txt").write_text("".join(f"{stem}\n" for stem in members))
        for stem, thing in members.items():
            Image.fromarray(np.full((30, 40, 3), len(stem), dtype=np.uint8)).save(folders[0] / f"{stem}.jpg")
            (folders[1] / f"{stem}.xml").write_text(XML.format(stem=stem, name=thing, x2=30))


@pytest.fixture
def devkit(tmp_path: Path) -> Path:
    year(
        tmp_path / "VOCdevkit",
        "VOC2007",
        {"train": {"01": "cat"}, "val": {"02": "dog"}, "trainval": {"01": "cat", "02": "dog"}, "test": {"03": "cow"}},
    )
    year(
        tmp_path / "VOCdevkit",
        "VOC2012",
        {"train": {"a1": "sofa"}, "val": {"a2": "car"}, "trainval": {"a1": "sofa", "a2": "car"}},
    )
    return tmp_path


def test_both_years_are_trained_on_and_the_test_part_of_2007_judges(devkit: Path) -> None:
    splits = open_splits("voc", root=devkit, task=None)
    assert len(splits.train.classes) == 20
    assert [splits.train.classes[splits.train.target(index).labels[0]] for index in range(4)] == [
        "cat",
        "dog",
        "sofa",
        "car",
    ]
    assert splits.train.target(2).boxes.tolist() == [[2, 1, 30, 20]]
    assert splits.train.source(2).endswith("VOC2012/JPEGImages/a1.jpg")
    assert splits.train.target_source(2).endswith("VOC2012/Annotations/a1.xml")
    assert splits.train[3].image.shape == (30, 40, 3)
    assert (splits.test.split, len(splits.test)) == ("test", 1)
    assert splits.split_rule.endswith("trainval of VOC2007 and VOC2012, test of VOC2007")


def test_without_the_test_part_val_judges(devkit: Path) -> None:
    (devkit / "VOCdevkit/VOC2007/ImageSets/Main/test.txt").unlink()
    splits = open_splits("voc", root=devkit, task=None)
    assert [Path(splits.test.source(index)).stem for index in range(len(splits.test))] == ["02", "a2"]
    assert len(splits.train) == 2
    assert splits.split_rule.endswith("train of VOC2007 and VOC2012, val of VOC2007 and VOC2012")


def test_one_year_alone_is_a_set(devkit: Path) -> None:
    shutil.rmtree(devkit / "VOCdevkit/VOC2007")
    splits = open_splits("voc", root=devkit / "VOCdevkit", task=None)
    assert [Path(reader.source(0)).stem for reader in splits.readers] == ["a1", "a2"]


def test_coco_has_the_ids_of_its_categories_and_images_without_objects(tmp_path: Path) -> None:
    categories = [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}]
    for split, number in (("train2017", 9), ("val2017", 4)):
        folder = tmp_path / "coco" / split
        folder.mkdir(parents=True)
        images = [{"id": number + k, "file_name": f"{number + k:012d}.jpg", "width": 40, "height": 30} for k in (0, 1)]
        for image in images:
            Image.fromarray(np.full((30, 40, 3), image["id"], dtype=np.uint8)).save(folder / str(image["file_name"]))
        box = {"id": 7, "image_id": number, "category_id": 90, "bbox": [1, 2, 30, 20.5], "area": 100, "iscrowd": 1}
        flat = {**box, "id": 8, "bbox": [1, 2, 0, 20], "iscrowd": 0}
        document = {"images": images, "categories": categories, "annotations": [box, flat]}
        (tmp_path / "coco/annotations").mkdir(exist_ok=True)
        (tmp_path / f"coco/annotations/instances_{split}.json").write_text(json.dumps(document))
        (tmp_path / f"coco/annotations/captions_{split}.json").write_text(json.dumps({**document, "annotations": []}))
    splits = open_splits("coco", root=tmp_path, task=None)
    assert (splits.train.split, splits.test.split) == ("train", "val")
    assert splits.train.classes == ("person", "toothbrush")
    targets = splits.train.target(0)
    assert (targets.boxes.tolist(), targets.crowd.tolist(), targets.areas.tolist()) == (
        [[1, 2, 31, 22.5]],
        [True],
        [100],
    )
    assert len(splits.train.target(1).labels) == 0
    assert splits.train.category_ids == (1, 90)


def test_a_set_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"voc: no VOCdevkit/VOC2007/Annotations in .*; `--root FOLDER`"):
        open_splits("voc", root=tmp_path, task=None)


def test_a_check_finds_the_known_faults_of_a_set_and_opening_it_leaves_them_out(tmp_path: Path) -> None:
    year(tmp_path, "bccd", {"train": {"1": "RBC", "2": "WBC"}, "val": {"3": "RBC"}})
    (tmp_path / "bccd/Annotations/2.xml").write_text(XML.format(stem="2", name="WBC", x2=3).replace(">20<", ">2<"))
    assert [fault.kind for fault in check("bccd", root=tmp_path).faults] == ["degenerate-boxes"]
    assert check("bccd", root=tmp_path, allow=["degenerate-boxes"]).faults == []
    splits = open_splits("bccd", root=tmp_path, task=None, image_size=64)
    assert len(splits.train.target(1).labels) == 0
    assert splits.train.view.side_px == 64
    assert "1 box by degenerate-boxes" in splits.split_rule


@pytest.mark.skipif(not (REAL / "bccd").is_dir(), reason=f"no bccd in {REAL}; $RESVISION_DATA names it")
def test_bccd_has_the_images_of_its_lists_and_two_faults() -> None:
    splits = open_splits("bccd", task=None)
    assert (len(splits.train), len(splits.test)) == (205, 87)
    assert set(splits.train.classes) == {"RBC", "WBC", "Platelets"}
    assert len(bccd.scan().faults) == 2
