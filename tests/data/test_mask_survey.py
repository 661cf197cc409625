"""Faults that label maps show together: soft edges, swapped palettes, orientation of the image alone, void."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from resvision.core.errors import DataError
from resvision.core.images import VOID
from resvision.data.check import check
from resvision.data.mask_survey import MaskSurvey
from resvision.data.sets import open_splits

Cli = Callable[..., tuple[int, str, str]]
SIDE = 64


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def discs(count: int = 4, side: int = SIDE) -> list[Image.Image]:
    """Drawings of an object, 255, on 0."""
    drawings = [Image.new("L", (side, side)) for _ in range(count)]
    for index, drawing in enumerate(drawings):
        middle, radius = side * (0.4 + index / 20), side * (0.15 + index / 30)
        ImageDraw.Draw(drawing).ellipse((middle - radius, middle - radius, middle + radius, middle + radius), fill=255)
    return drawings


def soft_values(masks: Iterable[Image.Image | np.ndarray]) -> int:
    survey = MaskSurvey()
    for mask in masks:
        survey.add(np.asarray(mask), b"", "mask", [])
    return survey.soft_values


SMOOTHED = {
    "blurred": lambda drawing: drawing.filter(ImageFilter.GaussianBlur(2)),
    "much blurred": lambda drawing: drawing.filter(ImageFilter.GaussianBlur(8)),
    "scaled down": lambda drawing: drawing.resize((23, 23), Image.Resampling.BILINEAR),
    "scaled down, sharp": lambda drawing: drawing.resize((23, 23), Image.Resampling.LANCZOS),
    "scaled up": lambda drawing: drawing.resize((200, 200), Image.Resampling.BICUBIC),
}


@pytest.mark.parametrize("kind", SMOOTHED)
def test_edges_that_were_smoothed_or_scaled_are_soft(kind: str) -> None:
    assert soft_values(SMOOTHED[kind](drawing) for drawing in discs()) > 10
    assert soft_values(discs()) == 0


def regions(classes: int, *, border: int | None = None) -> Iterable[np.ndarray]:
    """Label maps of regions around points, in which any class may stand beside any other."""
    draws = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    for _ in range(12):
        points, labels = draws.uniform(0, SIDE, (30, 2)), draws.integers(0, classes, 30)
        distances = np.hypot(y[..., None] - points[:, 0], x[..., None] - points[:, 1])
        mask = labels[distances.argmin(axis=-1)].astype(np.uint8)
        if border is not None:
            first, second = np.sort(distances, axis=-1)[..., :2].transpose(2, 0, 1)
            mask[second - first < border] = VOID
        yield mask


@pytest.mark.parametrize("classes", [21, 34, 150, 255])
def test_label_maps_of_many_classes_have_no_soft_edges(classes: int) -> None:
    assert soft_values(regions(classes)) == 0
    assert soft_values(regions(classes, border=3)) == 0


def test_thin_layers_one_upon_the_other_are_few_and_no_soft_edges() -> None:
    layers = np.concatenate([np.zeros(30), np.repeat(np.arange(1, 10), 2), np.full(30, 10)])
    assert soft_values([np.tile(layers.astype(np.uint8)[:, None], (1, SIDE))]) == 0


def test_many_classes_side_by_side_in_order_are_no_edges() -> None:
    for side in (3, 4, 5):
        blocks = np.kron(np.arange(150).reshape(10, 15), np.ones((side, side))).astype(np.uint8)
        assert soft_values([blocks]) == 0
    assert soft_values([np.resize(np.arange(150, dtype=np.uint8), (SIDE, SIDE))]) == 0


def grow(folder: Path, masks: Iterable[Image.Image | np.ndarray], exif: Image.Exif | None = None) -> Path:
    """A folder of images and masks, the images with these EXIF tags."""
    draws = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for index, mask in enumerate(masks):
        picture = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
        picture.save(folder / "masks" / f"{index}.png")
        image = Image.fromarray(draws.integers(0, 256, (picture.height, picture.width, 3), dtype=np.uint8))
        image.save(folder / "images" / f"{index}.png", exif=exif)
    return folder


def faults(folder: Path) -> list[str]:
    """The faults that the check finds, of which training names the first."""
    found = [str(fault).removeprefix(f"{folder}/") for fault in check(str(folder)).faults]
    if found:
        with pytest.raises(DataError) as raised:
            open_splits(str(folder), task="segmentation")
        assert min(found)[:120] in str(raised.value)
    else:
        open_splits(str(folder), task="segmentation")
    return found


def test_soft_edges_are_refused_unless_a_class_list_says_that_they_are_classes(tmp_path: Path) -> None:
    blurred = [drawing.filter(ImageFilter.GaussianBlur(5)).point(lambda value: value // 8) for drawing in discs()]
    grow(tmp_path, blurred)
    assert len(found := faults(tmp_path)) == 1
    assert (
        "of the 32 values in its masks are thin lines between a lower and a higher value: edges that were" in found[0]
    )
    (tmp_path / "classes.txt").write_text("".join(f"{value} level {value}\n" for value in range(32)))
    assert faults(tmp_path) == []
    (tmp_path / "classes.txt").unlink()
    assert len(faults(tmp_path)) == 1


def coloured(values: np.ndarray, *colours: tuple[int, int, int]) -> Image.Image:
    picture = Image.fromarray(values)
    picture.putpalette([level for colour in colours for level in colour])
    return picture


BLACK, RED, GREEN, BLUE = (0, 0, 0), (255, 0, 0), (0, 255, 0), (0, 0, 255)
VALUES = np.resize(np.arange(3, dtype=np.uint8), (6, 8))


def test_one_value_of_two_colours_is_a_fault(tmp_path: Path) -> None:
    masks = [coloured(VALUES, BLACK, RED, GREEN) for _ in range(3)]
    grow(tmp_path, [*masks, coloured(VALUES, BLACK, GREEN, RED)])
    (found,) = check(str(tmp_path)).faults
    assert Path(found.where).name == "3.png"
    assert found.what.startswith("value 1 is the colour #00ff00 here and #ff0000 in ")
    with pytest.raises(
        DataError, match=r"value 1 is the colour #[0-9a-f]+ here and .* save all masks with one palette"
    ):
        open_splits(str(tmp_path), task="segmentation")


def test_colours_that_no_pixel_has_and_masks_without_a_palette_are_no_fault(tmp_path: Path) -> None:
    few = np.minimum(VALUES, 1)
    masks = [coloured(VALUES, BLACK, RED, GREEN), coloured(few, BLACK, RED, BLUE), Image.fromarray(VALUES)]
    assert faults(grow(tmp_path, masks)) == []


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_square_image_that_alone_has_an_orientation_is_refused(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    square = np.resize(np.arange(3, dtype=np.uint8), (7, 7))
    grow(tmp_path, [square] * 3, exif)
    assert faults(tmp_path)[0].startswith(
        f"masks/0.png: its image is turned upright by EXIF orientation {orientation}, and the mask has none"
    )
    for mask in (tmp_path / "masks").glob("*.png"):
        Image.open(mask).save(mask, exif=exif)
    assert faults(tmp_path) == []


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_an_oblong_image_whose_sides_do_not_tell_is_refused_too(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert len(faults(grow(tmp_path, [VALUES] * 3, exif))) == 3


def test_image_and_mask_of_one_orientation_lie_on_one_another(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    grow(tmp_path, [VALUES] * 3)
    for file in tmp_path.glob("*/*.png"):
        levels = Image.open(tmp_path / "masks" / file.name).point(lambda value: 100 * value)
        (levels if file.parent.name == "images" else Image.open(file)).save(file, exif=exif)
    sample = open_splits(str(tmp_path), task="segmentation").train[0]
    assert sample.target.shape == (8, 6)
    assert np.array_equal(sample.image, 100 * sample.target)


def two_classes(folder: Path, *, elsewhere: bool) -> Path:
    void = np.resize(np.uint8([0, VOID]), (6, 8))
    both = np.resize(np.uint8([0, 1]), (6, 8))
    (folder / "classes.txt").parent.mkdir(exist_ok=True)
    (folder / "classes.txt").write_text("background\nobject\n")
    return grow(folder, [void, void, both if elsewhere else void, void])


def test_void_in_a_set_of_two_classes_is_meant_where_1_occurs_elsewhere(tmp_path: Path) -> None:
    assert faults(two_classes(tmp_path / "one", elsewhere=True)) == []
    assert len(check(str(two_classes(tmp_path / "other", elsewhere=False))).faults) == 5


def test_void_in_a_set_of_two_classes_is_meant_where_the_list_says_so(tmp_path: Path) -> None:
    folder = two_classes(tmp_path, elsewhere=False)
    (folder / "classes.txt").write_text("0 background\n1 object\n255 void\n")
    assert faults(folder) == [f"{folder}: object never occurs in a mask"]


def test_one_thin_image_does_not_make_all_crops_thin(tmp_path: Path) -> None:
    shapes = [(90, 100), (120, 80), (100, 100), (130, 90), (24, 100)]
    grow(tmp_path, [np.resize(np.arange(3, dtype=np.uint8), shape) for shape in shapes])
    splits = open_splits(str(tmp_path), task="segmentation")
    assert splits.train.crop_px == splits.test.crop_px == 80
    assert splits.notes == ("1 image is thinner than the crops of 80 pixels and will be padded",)


@pytest.mark.parametrize("names", [("images", "labels"), ("imgs", "masks"), ("image", "annotations")])
def test_folders_of_images_and_masks_have_other_names_too(tmp_path: Path, names: tuple[str, str]) -> None:
    grow(tmp_path, [VALUES] * 4)
    for part, name in zip(("images", "masks"), names, strict=True):
        (tmp_path / part).rename(tmp_path / name)
    splits = open_splits(str(tmp_path), task=None)
    assert (len(splits.train), splits.train.classes) == (4 - 1, ("class 0", "class 1", "class 2"))


def test_tables_of_outlines_are_no_label_maps(tmp_path: Path) -> None:
    grow(tmp_path, [VALUES] * 4)
    for file in (tmp_path / "masks").glob("*.png"):
        file.with_suffix(".csv").write_text("1,2,3,4\n")
        file.unlink()
    told = "masks: no label maps, but 4 other files, such as 0.csv; boxes and outlines are not read"
    assert [fault.partition(", draw")[0] for fault in faults(tmp_path)] == [told]
    with pytest.raises(DataError, match=told):
        open_splits(str(tmp_path), task=None)


def test_litter_among_images_and_masks_is_left_out_and_counted(tmp_path: Path) -> None:
    grow(tmp_path, [VALUES] * 4)
    for stray in ("images/Thumbs.db", "masks/._0.png", "masks/README.md"):
        (tmp_path / stray).write_bytes(b"\0stray")
    splits = open_splits(str(tmp_path), task="segmentation")
    assert len(splits.train) + len(splits.test) == 4
    assert [note.partition(":")[0] for note in splits.notes] == ["3 files or folders are left out by name"]
    assert check(str(tmp_path)).notes == [*splits.notes]
