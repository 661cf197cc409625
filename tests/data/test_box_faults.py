"""Faults of sets with boxes: each is named by its place, and left out where a person allows its kind."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resvision.core.errors import DataError, SettingsError, UnknownNameError
from resvision.core.orientation import upright_boxes, upright_sides
from resvision.data.check import check
from resvision.data.fault_kinds import KINDS, require_kinds
from resvision.data.sets import open_splits
from resvision.preparation import prepare
from resvision.recipes import compose
from tests.box_folders import FORMS, SCENES, coco, coco_json, picture, text, voc, voc_xml, yolo, yolo_lines


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def change_coco(folder: Path, change: Callable[[dict], object], split: str = "train") -> Path:
    path = folder / "annotations" / f"instances_{split}2017.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def replace_boxes(form: str, folder: Path, boxes: list[tuple[str, float, float, float, float]]) -> None:
    """Give image b of training other boxes."""
    if form == "voc":
        text(folder / "Annotations" / "b.xml", voc_xml(boxes))
    elif form == "yolo":
        text(folder / "labels" / "train" / "b.txt", yolo_lines(boxes))
    else:
        new = [(17 + (name == "dog"), [x1, y1, x2 - x1, y2 - y1]) for name, x1, y1, x2, y2 in boxes]

        def change(document: dict) -> None:
            others = [row for row in document["annotations"] if row["image_id"] != 2]
            rows = [
                {"id": 50 + number, "image_id": 2, "category_id": category, "bbox": box}
                for number, (category, box) in enumerate(new)
            ]
            document["annotations"] = others + rows

        change_coco(folder, change)


PLACES = {"voc": "b.xml:{line}", "coco": "instances_train2017.json[2] annotation {id}", "yolo": "b.txt:{yolo}"}
SOUND = ("dog", 0.0, 0.0, 80.0, 60.0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("kind", "box"),
    [
        ("degenerate-boxes", ("dog", 10.0, 10.0, 10.0, 30.0)),
        ("degenerate-boxes", ("dog", 10.0, 30.0, 20.0, 20.0)),
        ("degenerate-boxes", ("dog", 10.0, 10.0, 11.0, 11.0)),
        ("outside-boxes", ("dog", 10.0, 10.0, 81.0, 30.0)),
        ("outside-boxes", ("dog", -1.0, 10.0, 20.0, 30.0)),
        ("duplicate-boxes", SOUND),
    ],
)
def test_a_bad_box_is_named_by_its_place_and_left_out_where_allowed(
    tmp_path: Path, form: str, kind: str, box: tuple[str, float, float, float, float]
) -> None:
    folder = FORMS[form](tmp_path)
    replace_boxes(form, folder, [SOUND, box])
    (fault,) = check(str(folder)).faults
    assert fault.where.endswith(PLACES[form].format(line=3, id=51, yolo=2))
    assert fault.kind == kind
    with pytest.raises(DataError, match=f"--allow {kind} goes on without"):
        open_splits(str(folder), task="detection")
    splits = open_splits(str(folder), task="detection", allow=[kind])
    assert splits.train.target(1).boxes.tolist() == [[0, 0, 80, 60]]
    assert splits.split_rule.endswith(f"; allowed: 1 box by {kind}")


@pytest.mark.parametrize("form", FORMS)
def test_a_box_that_rounding_puts_outside_is_cut_to_its_image(tmp_path: Path, form: str) -> None:
    folder = FORMS[form](tmp_path)
    replace_boxes(form, folder, [("dog", -0.3, 0, 80.4, 60.01)])
    train = open_splits(str(folder), task="detection").train
    assert train.target(1).boxes.tolist() == [[0, 0, 80, 60]]


@pytest.mark.parametrize("form", ["voc", "yolo"])
def test_an_empty_label_file_is_a_background_and_a_missing_one_a_fault(tmp_path: Path, form: str) -> None:
    folder = FORMS[form](tmp_path)
    label = folder / ("Annotations/b.xml" if form == "voc" else "labels/train/b.txt")
    label.unlink()
    (fault,) = check(str(folder)).faults
    assert (Path(fault.where).name, fault.kind) == ("b.png", "unlabelled-images")
    train = open_splits(str(folder), task="detection", allow=["unlabelled-images"]).train
    assert len(train) == 3
    assert train.target(1).boxes.shape == (0, 4)
    text(label, "" if form == "yolo" else "<annotation></annotation>")
    assert not check(str(folder)).faults


@pytest.mark.parametrize("form", FORMS)
def test_labels_whose_image_is_missing_are_a_fault(tmp_path: Path, form: str) -> None:
    folder = FORMS[form](tmp_path)
    folders = {"voc": "JPEGImages", "coco": "train2017", "yolo": "images/train"}
    (folder / folders[form] / "b.png").unlink()
    (fault,) = check(str(folder)).faults
    assert fault.kind == "missing-images"
    train = open_splits(str(folder), task="detection", allow=["missing-images"]).train
    assert [Path(train.source(index)).stem for index in range(len(train))] == ["a", "c"]
    assert train.target(1).boxes.shape == (0, 4)


def test_a_negative_size_is_no_size_of_the_image(tmp_path: Path) -> None:
    change_coco(coco(tmp_path), lambda document: document["images"][1].update(width=-80))
    (fault,) = check(str(tmp_path)).faults
    assert fault.what == "states -80 x 60 pixels for b.png, which has 80 x 60"


@pytest.mark.parametrize("form", ["voc", "coco"])
def test_another_size_than_that_of_the_image_is_a_fault(tmp_path: Path, form: str) -> None:
    folder = FORMS[form](tmp_path)
    picture(folder / ("JPEGImages" if form == "voc" else "train2017") / "b.png", 90, 70)
    (fault,) = check(str(folder)).faults
    assert fault.what == "states 80 x 60 pixels for b.png, which has 90 x 70"
    assert len(open_splits(str(folder), task="detection", allow=[fault.kind]).train) == 2


def test_images_in_two_splits_are_a_fault(tmp_path: Path) -> None:
    folder = voc(tmp_path, train="abcd", val="de")
    (fault,) = check(str(folder)).faults
    assert (Path(fault.where).name, fault.kind) == ("d.png", "shared-images")
    assert [len(r) for r in open_splits(str(folder), task="detection", allow=["shared-images"]).readers] == [3, 2]


def test_ids_of_classes_that_are_unknown_or_shifted_are_named(tmp_path: Path) -> None:
    folder = yolo(tmp_path)
    text(folder / "labels" / "train" / "a.txt", "1 .5 .5 .5 .5\n2 .5 .5 .2 .2\n")
    (fault,) = check(str(folder)).faults
    assert fault.where.endswith("a.txt:2")
    assert fault.what.startswith("class 2, not one of 0..1; no box has 0, so classes may be counted from 1")
    assert len(open_splits(str(folder), task="detection", allow=["unknown-classes"]).train.target(0).labels) == 1


def test_lists_of_classes_that_disagree_are_a_fault(tmp_path: Path) -> None:
    folder = yolo(tmp_path)
    (folder / "data.yaml").unlink()
    text(folder / "labels" / "train" / "classes.txt", "cat\ndog\n")
    path = text(folder / "labels" / "val" / "classes.txt", "cat\ndog\n")
    assert not check(str(folder)).faults
    path.write_text("dog\ncat\n")
    (fault,) = check(str(folder)).faults
    assert fault.where == str(path)
    assert fault.what.startswith("other names, or another order, than in ")


def test_ids_of_coco_that_clash_or_that_nothing_lists_are_named(tmp_path: Path) -> None:
    folder = coco(tmp_path)

    def change(document: dict) -> None:
        document["annotations"][1]["id"] = 1
        document["annotations"][2]["category_id"] = 4
        document["annotations"].append({"id": 9, "image_id": 99, "category_id": 17, "bbox": [1, 1, 5, 5]})

    change_coco(folder, change)
    kinds = {fault.kind: fault.where for fault in check(str(folder)).faults}
    assert [*kinds] == ["missing-images", "clashing-ids", "unknown-classes"]
    assert kinds["unknown-classes"].endswith("instances_train2017.json[2] annotation 3")
    train = open_splits(str(folder), task="detection", allow=[*kinds]).train
    assert [len(train.target(index).boxes) for index in range(3)] == [1, 0, 0]


@pytest.mark.parametrize("what", ["images", "categories"])
def test_two_of_one_id_in_coco_are_a_fault(tmp_path: Path, what: str) -> None:
    folder = coco(tmp_path)
    change_coco(folder, lambda document: document[what][1].update(id=document[what][0]["id"]))
    assert any(f"two {what} of the id" in fault.what for fault in check(str(folder)).faults)


@pytest.mark.parametrize("form", FORMS)
def test_a_class_that_training_lacks_is_a_fault_and_others_go_by_name(tmp_path: Path, form: str) -> None:
    folder = FORMS[form](tmp_path)
    if form == "yolo":
        (folder / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [cat]\n")
    elif form == "voc":
        replace_boxes(form, folder, [])
        text(folder / "Annotations" / "a.xml", voc_xml([("dog", 1, 1, 9, 9)]))
    else:
        change_coco(folder, lambda document: document["categories"][0].update(name="fox"), "val")
        change_coco(folder, lambda document: document["annotations"][0].update(category_id=3), "val")
    assert {fault.kind for fault in check(str(folder)).faults} == {"unknown-classes"}


# Frames --------------------------------------------------------------------------------------------------------------


def mark_in(folder: Path, orientation: int, wide: int, high: int) -> list[float]:
    """Draw a bright mark into the stored image of b, which EXIF turns; its box there."""
    pixels = np.zeros((high, wide, 3), dtype=np.uint8)
    pixels[5:20, 10:40] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(folder / "b.png", exif=exif)
    return [10, 5, 40, 20]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("stored", [True, False])
def test_the_stated_size_tells_in_which_frame_boxes_lie(tmp_path: Path, orientation: int, stored: bool) -> None:
    folder = voc(tmp_path)
    box = mark_in(folder / "JPEGImages", orientation, 80, 60)
    if not stored:
        box = upright_boxes(np.array(box), orientation, 80, 60).tolist()
    wide, high = (80, 60) if stored else upright_sides(80, 60, orientation)
    size = f"<width>{wide}</width><height>{high}</height>"
    text(folder / "Annotations" / "b.xml", voc_xml([("dog", *box)], size))
    sample = open_splits(str(folder), task="detection").train[1]
    x1, y1, x2, y2 = sample.target.boxes[0].astype(int)
    assert sample.image[y1:y2, x1:x2].min() == 255
    assert (sample.image == 255).all(axis=2).sum() == (x2 - x1) * (y2 - y1)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("form", ["square of voc", "yolo"])
def test_a_frame_that_nothing_tells_is_asked_for(tmp_path: Path, orientation: int, form: str) -> None:
    wide = 60 if form != "yolo" else 80
    if form == "yolo":
        folder = yolo(tmp_path)
        box = mark_in(folder / "images" / "train", orientation, wide, 60)
        replace_boxes("yolo", folder, [("dog", *box)])
    else:
        folder = voc(tmp_path)
        box = mark_in(folder / "JPEGImages", orientation, wide, 60)
        size = "<width>60</width><height>60</height>"
        text(folder / "Annotations" / "b.xml", voc_xml([("dog", *box)], size))
    (fault,) = check(str(folder)).faults
    assert fault.kind == "rotated-images"
    sample = open_splits(str(folder), task="detection", allow=["rotated-as-stored"]).train[1]
    x1, y1, x2, y2 = sample.target.boxes[0].round().astype(int)
    assert sample.image[y1:y2, x1:x2].min() == 255
    upright = open_splits(str(folder), task="detection", allow=["rotated-upright"]).train
    sides = upright_sides(wide, 60, orientation)
    scale = np.tile(np.array(sides) / (wide, 60), 2) if form == "yolo" else 1
    assert np.allclose(upright.target(1).boxes[0], np.array(box) * scale, atol=1e-5)
    assert len(open_splits(str(folder), task="detection", allow=["rotated-images"]).train) == 2


# Files that are none of these ----------------------------------------------------------------------------------------


ROOT = Path(__file__).parents[2]
BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><annotation>&c;</annotation>'


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (BOMB, "1: a document type, which may define entities"),
        ("<a>" * 10 + "</a>" * 10, "1: an element a where <annotation> is due"),
        ("<annotation>" + "<a>" * 2_000_000, "1: nested deeper than 32 elements"),
        ("<annotation>\n<object>", "2: no XML (no element found)"),
        ("<annotation>\n<object><name>a</name></object></annotation>", "2: an object without xmin in its bndbox"),
        (voc_xml([("a", 1, 2, float("inf"), 3)]), "2: xmax is inf, no coordinate of an image"),
        (voc_xml([("", 1, 2, 3, 4)]), "2: an object without a name"),
        (voc_xml([("a" * 5000, 1, 2, 3, 4)]), "2: a text of more than 4,096 letters in name"),
        ('<?xml version="1.0" encoding="x-none"?><annotation/>', "1: an encoding that is not read here"),
        ('<?xml version="1.0" encoding="gbk"?><annotation/>', "1: an encoding that is not read here"),
        (voc_xml([("a", 1, 2, 3, 4)], more="<name>b</name>"), "2: name is there twice"),
        (voc_xml([("a", 1, 2, 3, 4)], more="<bndbox><xmin>1</xmin></bndbox>"), "2: xmin is there twice"),
        (voc_xml([("a", 1, 2, 3, 4)], more="<difficult>maybe</difficult>"), "2: difficult is 'maybe', neither 0 nor 1"),
        (voc_xml([("a", 1, 2, 3, 4)], "<width>-80</width>"), "4: width is -80, no number of pixels"),
        (voc_xml([("a", 1, 2, 3, 4)], "<height>high</height>"), "4: height is 'high', no number"),
        ("", "1: no XML (no element found)"),
        (" " * (16 * 2**20 + 1), " cannot be read (more than 16 MB, which is the limit here)"),
    ],
)
def test_an_xml_that_is_no_annotation_is_refused(tmp_path: Path, document: str, what: str) -> None:
    path = text(voc(tmp_path) / "Annotations" / "b.xml", document)
    (fault,) = check(str(tmp_path)).faults
    assert str(fault).removeprefix(f"{path}:").startswith(what)
    assert fault.kind == ""


@pytest.mark.parametrize(
    "document",
    ["", "[]", "{}", '{"images": 1}', '{"images": [], "categories": [{"id": 1}]}', "[" * 200_000, '{"images": [{}]}'],
)
def test_a_json_of_another_shape_is_refused(tmp_path: Path, document: str) -> None:
    path = text(coco(tmp_path) / "annotations" / "instances_train2017.json", document)
    with pytest.raises(DataError, match="no annotations of COCO"):
        open_splits(str(tmp_path), task="detection")
    assert any(fault.where == str(path) for fault in check(str(tmp_path)).faults)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_cannot_be_read_is_the_only_fault_that_it_causes(tmp_path: Path, form: str) -> None:
    folder = FORMS[form](tmp_path)
    files = {"voc": "Annotations/b.xml", "coco": "annotations/instances_train2017.json", "yolo": "data.yaml"}
    (folder / files[form]).write_text("?")
    found = check(str(folder))
    assert [fault.where.removeprefix(str(folder)).split(":")[0] for fault in found.faults] == [f"/{files[form]}"]
    assert not found.notes


def test_a_text_of_windows_is_read_without_its_byte_order_mark(tmp_path: Path) -> None:
    for form, name in {
        "voc": "ImageSets/Main/train.txt",
        "coco": "annotations/instances_train2017.json",
        "yolo": "data.yaml",
    }.items():
        path = FORMS[form](tmp_path / form) / name
        path.write_text("\ufeff" + path.read_text().replace("\n", "\r\n"))
        assert not check(str(tmp_path / form)).faults


def test_lists_of_images_name_each_once_by_short_or_full_paths(tmp_path: Path) -> None:
    folder = yolo(tmp_path)
    (folder / "data.yaml").write_text("train: train.txt\nval: images/val\nnames: [cat, dog]\n")
    listing = text(folder / "train.txt", f"./images/train/a.png\n{folder}/images/train/b.png\n")
    assert len(open_splits(str(folder), task="detection").train) == 2
    listing.write_text(listing.read_text() + "images\\train\\b.png\n")
    (fault,) = check(str(folder)).faults
    assert str(fault) == f"{listing}:3: images\\train\\b.png is in line 2, too"


def test_a_list_of_classes_that_contradicts_the_description_or_has_gaps_is_a_fault(tmp_path: Path) -> None:
    folder = yolo(tmp_path)
    listing = text(folder / "classes.txt", "dog\ncat\n")
    assert [fault.where for fault in check(str(folder)).faults] == [str(listing)]
    listing.unlink()
    picture(folder / "images" / "train" / "classes.png")
    text(folder / "labels" / "train" / "classes.txt", yolo_lines([SOUND]))
    assert not check(str(folder)).faults  # an image of that name
    (folder / "labels" / "train" / "classes.txt").unlink()
    (folder / "images" / "train" / "classes.png").unlink()
    (folder / "data.yaml").unlink()
    listing.write_text("cat\n\ndog\n")
    assert [fault.where for fault in check(str(folder)).faults] == [f"{listing}:2"]


@pytest.mark.parametrize("name", ["{folder}/a.png", "../train2017/a.png"])
def test_images_are_found_where_most_of_a_file_says(tmp_path: Path, name: str) -> None:
    folder = coco(tmp_path)
    name = name.format(folder=(folder / "train2017").absolute())
    change_coco(folder, lambda document: document["images"][0].update(file_name=name))
    assert len(check(str(folder)).faults) == name.startswith("..")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"bbox": [1, 2, 3]}, "no annotations of COCO"),
        ({"bbox": None}, "no bbox"),
        ({"bbox": None, "segmentation": [[1, 2, 30, 2, 30]]}, "no bbox, and no polygons"),
        ({"area": -5}, "no annotations of COCO"),
        ({"bbox": [1, 2, 3e300, 4]}, "no coordinates of an image"),
        ({"image_id": 2**70}, "no annotations of COCO"),
        ({"category_id": "cat"}, "no annotations of COCO"),
    ],
)
def test_an_annotation_of_another_shape_is_refused(tmp_path: Path, change: dict, what: str) -> None:
    change_coco(coco(tmp_path), lambda document: document["annotations"][0].update(change))
    assert any(what in fault.what for fault in check(str(tmp_path)).faults)


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "x/../../a.png", "a\0.png"])
def test_a_file_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    change_coco(coco(tmp_path / "set"), lambda document: document["images"][0].update(file_name=name))
    assert any("lies outside of the folder" in fault.what for fault in check(str(tmp_path / "set")).faults)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("0 .5 .5 .5", "a line of 4 columns"),
        ("0 .5 .5 .5 .5 .9", "a line of 6 columns"),
        ("0.5 .5 .5 .5 .5", "a class 0.5"),
        ("1_0 .5 .5 .5 .5", "'1_0 .5 .5 .5 .5' is no line of numbers"),
        ("-1 .5 .5 .5 .5", "a class -1"),
        ("0 nan .5 .5 .5", "a value that is no share of an image"),
        ("cat .5 .5 .5 .5", "'cat .5 .5 .5 .5' is no line of numbers"),
    ],
)
def test_a_line_that_is_no_box_of_yolo_is_refused(tmp_path: Path, line: str, what: str) -> None:
    text(yolo(tmp_path) / "labels" / "train" / "b.txt", f"1 .5 .5 .2 .2\n\n{line}\n")
    (fault,) = check(str(tmp_path)).faults
    assert fault.where.endswith("b.txt:3")
    assert fault.what.startswith(what)


def test_a_link_that_leads_back_to_its_folder_gives_no_image_twice(tmp_path: Path) -> None:
    folder = yolo(tmp_path)
    for name in ("again", "once more"):
        (folder / "images" / "train" / name).symlink_to(folder / "images" / "train")
        (folder / "labels" / "train" / name).symlink_to(folder / "labels")
    assert check(str(folder)).images == 5


@pytest.mark.parametrize(
    ("name", "what"),
    [("run.json", "describes no images; COCO's JSON has"), ("some.yaml", "some.yaml:1: no names of classes")],
)
def test_a_file_that_describes_no_set_is_refused_by_itself(tmp_path: Path, name: str, what: str) -> None:
    path = text(yolo(tmp_path) / name, '{"a": 1}' if name.endswith("json") else "a: 1\n")
    with pytest.raises(DataError, match=what):
        check(str(path))


def test_a_set_without_names_or_without_boxes_is_refused(tmp_path: Path) -> None:
    folder = yolo(tmp_path)
    for path in (folder / "labels" / "train").iterdir():
        path.write_text("")
    assert [fault.what for fault in check(str(folder)).faults] == ["no box in the images of train"]
    (folder / "data.yaml").unlink()
    assert any("no names of classes" in fault.what for fault in check(str(folder)).faults)


@pytest.mark.parametrize("form", FORMS)
def test_a_split_that_judges_without_a_box_is_noted_and_never_trained_on(tmp_path: Path, form: str) -> None:
    folder = FORMS[form](tmp_path, train="ab", val="c")
    what = "no box to find in the images of val, so they can judge no training"
    assert what in check(str(folder)).notes
    with pytest.raises(DataError, match=what):
        prepare(compose("retinanet", str(folder), settings=["model.options.backbone=resnet18"]))


def test_annotations_without_any_object_are_told_as_such(tmp_path: Path) -> None:
    folder = voc(tmp_path)
    for path in (folder / "Annotations").iterdir():
        path.write_text("<annotation/>")
    assert [fault.what for fault in check(str(folder)).faults] == ["no box in the images of train"]


# What is allowed, and what is kept -----------------------------------------------------------------------------------


def test_kinds_that_there_are_not_or_that_contradict_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="nearest: outside-boxes; --allow takes degenerate-boxes"):
        check(str(voc(tmp_path)), allow=["outside-box"])
    with pytest.raises(UnknownNameError) as refused:
        require_kinds([""])
    assert str(refused.value).count("shared-images") == 1
    with pytest.raises(SettingsError, match="rotated-as-stored and rotated-upright contradict each other"):
        require_kinds(["rotated-upright", "rotated-as-stored"])
    require_kinds([kind for kind in KINDS if not kind.startswith("rotated")])


def test_the_document_names_every_kind() -> None:
    rows = [row for row in (ROOT / "docs" / "data.md").read_text().splitlines() if row.startswith("|")]
    assert {kind for row in rows for kind in re.findall("`([a-z-]+)`", row) if kind in KINDS} == {*KINDS}


@pytest.mark.parametrize("form", FORMS)
def test_labels_that_are_edited_to_the_same_size_are_seen(tmp_path: Path, form: str) -> None:
    folder = FORMS[form](tmp_path)
    assert not check(str(folder)).faults
    files = {"voc": "Annotations/b.xml", "coco": "annotations/instances_train2017.json", "yolo": "labels/train/b.txt"}
    path = folder / files[form]
    status, content = path.stat(), path.read_text()
    old, new = {"voc": (">80<", ">99<"), "coco": ("80, 60]", "99, 60]"), "yolo": ("0.5", "0.9")}[form]
    path.write_text(content.replace(old, new))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert check(str(folder)).faults


def test_coco_of_another_order_is_read_by_the_order_of_its_ids(tmp_path: Path) -> None:
    document = coco_json("abd", {"cat": 1, "dog": 2})
    for rows in document.values():
        rows.reverse()
    for name in "abd":
        picture(tmp_path / f"{name}.png")
    text(tmp_path / "boxes.json", json.dumps(document))
    splits = open_splits(str(tmp_path), task="detection")
    for reader in splits.readers:
        for index in range(len(reader)):
            scene = SCENES[Path(reader.source(index)).stem]
            assert sorted(map(tuple, reader.target(index).boxes.tolist())) == sorted(box[1:] for box in scene)
