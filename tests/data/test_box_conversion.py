"""Sets with boxes written in another form: names, boxes and splits stay, images are copied, losses are counted."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from resvision.core.errors import DataError, RunError, SettingsError, UnknownNameError
from resvision.core.samples import Reader
from resvision.core.views import Whole
from resvision.data.arrays import BoxArrayReader
from resvision.data.box_conversion import convert, write
from resvision.data.box_reader import BoxReader
from resvision.data.check import check
from resvision.data.roots import default_root
from resvision.data.sets import open_splits
from resvision.data.splits import Splits
from resvision.kinds.detection.boxes import BoxTargets

CLASSES = ("b", "a c", "é<&>", "never")
WIDTH, HEIGHT = 64, 48


def made(splits: dict[str, Sequence[BoxTargets]]) -> Splits:
    """Splits of small images in memory with these boxes."""
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    train, test = (
        BoxArrayReader(
            name="made",
            split=split,
            classes=CLASSES,
            view=Whole(channels=3, mean=(0.5,) * 3, std=(0.5,) * 3),
            images=[np.roll(pixels, index + 100 * (split == "val"), axis=0) for index in range(len(boxes))],
            boxes=boxes,
        )
        for split, boxes in splits.items()
    )
    return Splits(train, test, "made")


def of(*boxes: tuple[float, float, float, float], labels: Sequence[int] = ()) -> BoxTargets:
    return BoxTargets.of(np.array(boxes, dtype=np.float64), np.array([*labels] or [0] * len(boxes), dtype=np.int64))


def rows(reader: Reader[Any], index: int) -> list[tuple[str, list[float]]]:
    """The boxes of an image with the names of their classes, in order."""
    targets = reader.target(index)
    names = [reader.classes[label] for label in targets.labels]
    return sorted(zip(names, targets.boxes.tolist(), strict=True))


def assert_same(first: Splits, second: Splits) -> None:
    """Splits, classes by name, and boxes to a hundredth of a pixel."""
    assert set(first.train.classes) == set(second.train.classes)
    for one, other in zip(first.readers, second.readers, strict=True):
        assert (one.split, len(one)) == (other.split, len(other))
        order = {Path(other.source(index)).stem: index for index in range(len(other))}
        for index in range(len(one)):
            stem = Path(one.source(index)).stem if isinstance(one, BoxReader) else f"{one.split}-{index:06d}"
            left, right = rows(one, index), rows(other, order[stem])
            assert [name for name, _ in left] == [name for name, _ in right]
            for name, box in left:  # whose order may change where corners are about the same
                assert any(np.allclose(box, other, atol=0.01) for same, other in right if same == name)


@st.composite
def random_boxes(draw: st.DrawFn) -> BoxTargets:
    """Boxes of more than a pixel, up to the edges of the image, no two alike."""
    spans = {}
    for _ in range(draw(st.integers(0, 4))):
        width, height = draw(st.floats(1.1, WIDTH)), draw(st.floats(1.1, HEIGHT))
        x, y = draw(st.floats(0, 1)) * (WIDTH - width), draw(st.floats(0, 1)) * (HEIGHT - height)
        box = x, y, min(x + width, WIDTH), min(y + height, HEIGHT)
        spans[tuple(round(corner, 2) for corner in box)] = box, draw(st.integers(0, 2))
    return of(*(box for box, _ in spans.values()), labels=[label for _, label in spans.values()])


@settings(max_examples=8, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(train=st.lists(random_boxes(), min_size=1, max_size=3), val=st.lists(random_boxes(), min_size=1, max_size=2))
def test_voc_coco_yolo_and_voc_again_keep_names_splits_and_boxes(
    tmp_path_factory: pytest.TempPathFactory, train: list[BoxTargets], val: list[BoxTargets]
) -> None:
    folder = tmp_path_factory.mktemp("chain")
    splits = made({"train": [*train, of((1, 1, 3, 3))], "val": val})  # training without any box is refused
    (folder / "0-voc").mkdir()
    write(splits, folder / "0-voc", "voc")
    for before, after in (("0-voc", "1-coco"), ("1-coco", "2-yolo"), ("2-yolo", "3-voc")):
        convert(str(folder / before), folder / after, after[2:])
        assert_same(splits, open_splits(str(folder / after), task=None))
    assert open_splits(str(folder / "3-voc"), task=None).train.classes == CLASSES


@pytest.mark.skipif(not (default_root() / "bccd").is_dir(), reason="no bccd; $RESVISION_DATA names its folder")
def test_bccd_comes_back_file_by_file(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("0-voc", "1-coco", "2-yolo", "3-voc")]
    for before, after in zip(["bccd", *folders], folders, strict=False):
        convert(str(before), after, after.name[2:])
    for path in folders[0].rglob("*.xml"):
        assert (folders[3] / path.relative_to(folders[0])).read_bytes() == path.read_bytes()


def test_ids_of_images_and_classes_come_back_out_of_coco(tmp_path: Path) -> None:
    write_folder(tmp_path / "first", "coco")
    path = tmp_path / "first/annotations/instances_train.json"
    document = json.loads(path.read_text())
    for things, key in ((document["images"], "id"), (document["annotations"], "image_id")):
        for thing in things:
            thing[key] = 1000 - 7 * thing[key]
    for things, key in ((document["categories"], "id"), (document["annotations"], "category_id")):
        for thing in things:
            thing[key] = thing[key] * 11 - 11
    path.write_text(json.dumps(document))
    convert(str(tmp_path / "first"), tmp_path / "second", "coco")
    again = json.loads((tmp_path / "second/annotations/instances_train.json").read_text())
    assert again["categories"] == document["categories"]
    for key in ("images", "annotations"):
        assert sorted(thing.get("image_id", thing["id"]) for thing in again[key]) == sorted(
            thing.get("image_id", thing["id"]) for thing in document[key]
        )
    assert {thing["category_id"] for thing in again["annotations"]} == {0, 11, 22}
    outcome = convert(str(tmp_path / "first"), tmp_path / "third", "yolo")
    assert outcome.lost["ids"] == len(CLASSES)


def test_images_are_copied_byte_by_byte_and_the_folder_is_clean(tmp_path: Path) -> None:
    write_folder(tmp_path / "first")
    convert(str(tmp_path / "first"), tmp_path / "second", "voc")
    for path in (tmp_path / "first/JPEGImages").iterdir():
        assert (tmp_path / "second/JPEGImages" / path.name).read_bytes() == path.read_bytes()
    assert check(str(tmp_path / "second")).faults == []
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second"}
    assert_same(open_splits(str(tmp_path / "first"), task=None), open_splits(str(tmp_path / "second"), task=None))


def write_folder(folder: Path, form: str = "voc") -> None:
    folder.mkdir()
    boxes = [of((1, 2, 30, 40), (0, 0, 64, 48), labels=(1, 2)), of(), of((5.25, 6.5, 9.125, 12))]
    write(made({"train": boxes, "val": boxes[::-1]}), folder, form)


def test_nothing_is_written_over_and_nothing_is_left_of_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "first")
    (tmp_path / "there").mkdir()
    with pytest.raises(SettingsError, match="there: there already, and nothing is written over"):
        convert(str(tmp_path / "first"), tmp_path / "there", "voc")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(SettingsError, match="link: there already"):
        convert(str(tmp_path / "first"), tmp_path / "link", "voc")
    inside = tmp_path / "first" / "JPEGImages" / "yolo"
    with pytest.raises(SettingsError, match=r"lies in .*first, which would hold other images then"):
        convert(str(tmp_path / "first"), inside, "yolo")
    assert not inside.exists()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(RunError, match=r"second.*No space left"):
        convert(str(tmp_path / "first"), tmp_path / "second", "voc")
    assert {path.name for path in tmp_path.iterdir()} == {"first", "there", "link"}


def test_what_a_form_has_no_place_for_is_counted(tmp_path: Path) -> None:
    targets = of((1, 2, 30, 40), (3, 4, 9, 20), (0, 0, 8, 8), labels=(0, 1, 1))
    targets = targets._replace(
        crowd=np.array([True, False, False]), difficult=np.array([False, True, False]), areas=np.array([1.0, 2.0, 64.0])
    )
    lost = {}
    for form in ("voc", "coco", "yolo"):
        (tmp_path / form).mkdir()
        outcome = write(made({"train": [targets], "val": [of()]}), tmp_path / form, form)
        lost[form] = {fact: count for fact, count in outcome.lost.items() if count}
    assert lost == {
        "voc": {"crowd": 1, "areas": 1},
        "coco": {"difficult": 1},
        "yolo": {"crowd": 1, "difficult": 1, "areas": 1},
    }
    document = json.loads((tmp_path / "coco/annotations/instances_train.json").read_text())
    assert [(thing["iscrowd"], thing["area"]) for thing in document["annotations"]] == [(1, 1), (0, 2), (0, 64)]


def test_an_image_that_exif_turns_is_saved_upright(tmp_path: Path) -> None:
    write_folder(tmp_path / "first")
    image = tmp_path / "first/JPEGImages/train-000000.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(1).integers(0, 256, (WIDTH, HEIGHT, 3), dtype=np.uint8)
    with Image.open(image) as picture:
        picture.load()
    Image.fromarray(pixels).save(image, exif=exif)
    outcome = convert(str(tmp_path / "first"), tmp_path / "second", "voc")
    assert (outcome.turned, outcome.renamed) == (1, 0)
    with Image.open(tmp_path / "second/JPEGImages/train-000000.png") as upright:
        assert np.array_equal(np.asarray(upright), np.rot90(pixels, -1))
        assert 0x0112 not in upright.getexif()


def test_images_of_an_archive_are_copied_too(tmp_path: Path) -> None:
    write_folder(tmp_path / "first", "yolo")
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "first")
    convert(archive, tmp_path / "second", "yolo")
    for path in (tmp_path / "first").rglob("*.*"):
        assert (tmp_path / "second" / path.relative_to(tmp_path / "first")).read_bytes() == path.read_bytes()


def test_sets_without_boxes_and_unknown_forms_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="digits: its images have no boxes"):
        convert("digits", tmp_path / "out", "voc")
    with pytest.raises(UnknownNameError, match="unknown form of boxes 'kitti'; choices: voc, coco, yolo"):
        convert("digit-boxes-composed", tmp_path / "out", "kitti")
    with pytest.raises(DataError, match="no bccd/Annotations"):
        convert("bccd", tmp_path / "out", "voc", root=tmp_path)
