"""Labels of one image as VOC, COCO and YOLO have them, read back by parsers that are not ours."""

import json
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
from pycocotools.coco import COCO

from resvision.data.coco_writer import decoded, encoded, record_of, write_document
from resvision.data.image_names import ImageNames
from resvision.data.labelled_image import LabelledImage, number
from resvision.data.voc_writer import annotation
from resvision.data.yolo_writer import lines, listing
from resvision.kinds.detection.boxes import BoxTargets

CLASSES = ("a <b> & c", "größe")


def labelled(*boxes: tuple[float, ...], labels: tuple[int, ...], name: str = "x.jpg") -> LabelledImage:
    targets = BoxTargets.of(np.array(boxes, dtype=np.float64), np.array(labels, dtype=np.int64))
    return LabelledImage(name, 200, 100, 3, targets)


def test_voc_counts_pixels_from_1_and_has_decimals_only_where_they_are_needed() -> None:
    image = labelled((0, 0, 200, 100), (9.5, 20.25, 30.125, 41), labels=(0, 1))
    flags = np.array([True, False])
    root = ElementTree.fromstring(annotation(image._replace(targets=image.targets._replace(difficult=flags)), CLASSES))
    sizes = [root.findtext(f"size/{side}") for side in ("width", "height", "depth")]
    boxes = [[corner.text for corner in box] for box in root.iter("bndbox")]
    assert root.findtext("filename") == "x.jpg"
    assert sizes == ["200", "100", "3"]
    assert boxes == [["1", "1", "200", "100"], ["10.5", "21.25", "30.125", "41"]]
    assert [name.text for name in root.iter("name")] == [*CLASSES]
    assert [flag.text for flag in root.iter("difficult")] == ["1", "0"]


def test_yolo_has_centres_and_sides_as_shares_and_no_line_for_background() -> None:
    assert lines(labelled((0, 0, 200, 100), (10, 20, 30, 40), labels=(1, 0))) == b"1 0.5 0.5 1 1\n0 0.1 0.3 0.1 0.2\n"
    assert lines(labelled(labels=())) == b""
    assert listing(CLASSES, {"train": "images/train"}).decode().splitlines() == [
        "train: images/train",
        "nc: 2",
        "names:",
        '  - "a <b> & c"',
        '  - "größe"',
    ]


def test_pycocotools_reads_the_document_with_its_crowds_areas_and_ids(capsys) -> None:
    first = labelled((10, 20, 30, 60), (0, 0, 200, 100), labels=(1, 0))
    targets = first.targets._replace(crowd=np.array([False, True]), areas=np.array([123.0, 20000.0]))
    images = [first._replace(targets=targets), labelled(labels=(), name="y.jpg")]
    records = [decoded(encoded(record_of(image))) for image in images]
    file = BytesIO()
    write_document(file, lambda: records, CLASSES, (90, 0))
    coco = COCO()
    coco.dataset = json.loads(file.getvalue())
    coco.createIndex()
    capsys.readouterr()
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == ["x.jpg", "y.jpg"]
    assert {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())} == {
        90: CLASSES[0],
        0: CLASSES[1],
    }
    things = coco.loadAnns(coco.getAnnIds())
    assert [(thing["bbox"], thing["category_id"], thing["iscrowd"], thing["area"]) for thing in things] == [
        ([10, 20, 20, 40], 0, 0, 123),
        ([0, 0, 200, 100], 90, 1, 20000),
    ]
    assert {thing["id"] for thing in things} == {1, 2}
    assert coco.getAnnIds(imgIds=[2]) == []


def test_scores_stand_beside_boxes_that_a_net_has_found() -> None:
    image = labelled((10, 20, 30, 60), labels=(1,))._replace(scores=np.array([0.75]))
    file = BytesIO()
    write_document(file, lambda: [record_of(image)], CLASSES, (1, 2))
    assert json.loads(file.getvalue())["annotations"][0]["score"] == 0.75


def test_numbers_are_as_short_as_they_can_be() -> None:
    texts = [number(value) for value in (3.0, 100.0, 0.5, 1 / 3, -0.00001, 0.0)]
    assert texts == ["3", "100", "0.5", "0.3333", "0", "0"]


def test_no_two_images_of_a_folder_differ_in_case_or_ending_alone() -> None:
    names = ImageNames(shared=False)
    given = [
        names.name("train", path, ending)
        for path, ending in (("a/x.jpg", ".jpg"), ("b/X.PNG", ".png"), ("x-2.jpg", ".jpg"))
    ]
    assert given[0] == "x.jpg"
    assert len({name.rpartition(".")[0].casefold() for name in given}) == 3
    assert names.name("val", "x.jpg", ".jpg") == "x.jpg"
    assert names.renamed == 2


def test_names_in_lists_have_no_white_space_and_no_text_has_control_characters() -> None:
    shared, apart = ImageNames(shared=True), ImageNames(shared=False)
    assert shared.name("train", "a b\tc.jpg", ".jpg") == "a_b_c.jpg"
    assert apart.name("train", "a b\tc\udcff.jpg", ".jpg") == "a b_c_.jpg"
    assert shared.name("train", "k.jpg", ".jpg") == "k.jpg"
    assert shared.name("val", "k.jpg", ".jpg") == "val_k.jpg"
