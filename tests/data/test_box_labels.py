"""What a net has found becomes labels: a file for each image, or one document once all are there."""

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resvision.core.errors import DataError, SettingsError
from resvision.core.results import Detections
from resvision.data.sets import open_splits
from resvision.kinds.detection.kind import KIND
from resvision.prediction.image_files import ImageFiles
from resvision.prediction.out_folder import out_folder
from resvision.prediction.predictions import Predicted

CLASSES = ("cat", "dog")


def prediction(source: Path, *boxes: tuple[float, ...]) -> Predicted:
    result = Detections(
        source=str(source),
        width=20,
        height=10,
        classes=CLASSES,
        boxes=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        labels=np.ones(len(boxes), dtype=np.int64),
        scores=np.full(len(boxes), 0.5),
    )
    return Predicted(source, np.zeros((10, 20, 3), dtype=np.uint8), result)


def test_a_document_and_a_list_of_classes_that_are_there_are_never_written_over(
    tmp_path: Path, images: ImageFiles
) -> None:
    path = tmp_path / "annotations.json"
    path.write_text("corrected by hand")
    with (
        pytest.raises(DataError, match="there already"),
        out_folder(KIND.label_form("coco", CLASSES), tmp_path, images, resume=True),
    ):
        pass
    assert path.read_text() == "corrected by hand"
    listing = tmp_path / "classes.txt"
    listing.write_text("dog\ncat\n")
    with (
        pytest.raises(DataError, match="another order"),
        out_folder(KIND.label_form("yolo", CLASSES), tmp_path, images, resume=True),
    ):
        pass
    listing.write_text("cat\ndog\n")
    (tmp_path / "a.txt").touch()  # a background, as a person may say
    with out_folder(KIND.label_form("yolo", CLASSES), tmp_path, images, resume=True) as folder:
        assert [image.name for image in folder.remaining()] == ["b.jpg", "c.jpg"]


@pytest.fixture
def images(tmp_path: Path) -> ImageFiles:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (folder / name).touch()
    return ImageFiles.of([folder])


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("voc", {"a.xml", "b.xml", "c.xml"}),
        ("yolo", {"a.txt", "b.txt", "c.txt", "classes.txt"}),
        ("coco", {"annotations.json"}),
    ],
)
def test_each_form_has_its_files_and_nothing_else(
    form: str, names: set[str], tmp_path: Path, images: ImageFiles
) -> None:
    with out_folder(KIND.label_form(form, CLASSES), tmp_path / "out", images) as folder:
        for image in folder.remaining():
            folder.save(prediction(image, (2, 3, 8, 9)))
    assert {path.name for path in (tmp_path / "out").iterdir()} == names


@pytest.mark.parametrize(("form", "name"), [("voc", "Annotations"), ("yolo", "labels"), ("coco", "annotations")])
def test_labels_beside_their_images_are_a_set_to_train_on(form: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for stem in "ab":
        pixels = np.full((10, 20, 3), ord(stem), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{stem}.png")
    images = ImageFiles.of([tmp_path / "images"])
    with out_folder(KIND.label_form(form, CLASSES), tmp_path / name, images) as folder:
        for image in images:
            folder.save(prediction(image, (2, 3, 8.5, 9)))
    splits = open_splits(str(tmp_path), task=None)
    for reader in splits.readers:
        targets = reader.target(0)
        assert (targets.boxes.round(4).tolist(), reader.classes[targets.labels[0]]) == ([[2, 3, 8.5, 9]], "dog")


def test_one_document_holds_all_images_also_those_before_a_stop(tmp_path: Path, images: ImageFiles) -> None:
    form, out = KIND.label_form("coco", CLASSES), tmp_path / "out"
    with suppress(KeyboardInterrupt), out_folder(form, out, images) as folder:
        folder.save(prediction(next(iter(images)), (2, 3, 8, 9)))
        raise KeyboardInterrupt
    assert not (out / "annotations.json").exists()
    with out_folder(form, out, images, resume=True) as folder:
        remaining = [*folder.remaining()]
        assert [image.name for image in remaining] == ["b.jpg", "c.jpg"]
        folder.save(prediction(remaining[1]))  # the other one cannot be read
    document = json.loads((out / "annotations.json").read_text())
    assert [image["file_name"] for image in document["images"]] == ["a.jpg", "c.jpg"]
    assert [(thing["image_id"], thing["bbox"]) for thing in document["annotations"]] == [(1, [2, 3, 6, 6])]
    assert document["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]


def test_nothing_is_written_over_and_no_image_takes_the_name_of_a_list(tmp_path: Path, images: ImageFiles) -> None:
    form, out = KIND.label_form("yolo", CLASSES), tmp_path / "out"
    out.mkdir()
    (out / "classes.txt").write_text("mine")
    with pytest.raises(DataError, match=r"classes\.txt: there already"), out_folder(form, out, images):
        pass
    assert (out / "classes.txt").read_text() == "mine"
    (tmp_path / "images" / "classes.png").touch()
    named_so = ImageFiles.of([tmp_path / "images"])
    with pytest.raises(DataError, match=r"classes\.png.*rename the image"), out_folder(form, tmp_path / "o", named_so):
        pass


def test_where_no_image_can_be_read_no_folder_is_left(tmp_path: Path, images: ImageFiles) -> None:
    with out_folder(KIND.label_form("coco", CLASSES), tmp_path / "out", images):
        pass
    assert not (tmp_path / "out").exists()


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(SettingsError, match="--labels kitti: runs of detection write labels as voc, coco, yolo"):
        KIND.label_form("kitti", CLASSES)
