"""Label maps: what is stored is what is read, and folders of images with masks."""

import shutil
import tarfile
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resvision.core import masks as core_masks
from resvision.core.errors import DataError, SettingsError
from resvision.core.images import VOID
from resvision.core.masks import count_values, label_colours, mask_header, read_mask, write_mask
from resvision.core.samples import Reader
from resvision.data import mask_folder, mask_pairs
from resvision.data.class_list import UNKNOWN, class_list, labels_of, listed_classes
from resvision.data.pixel_counts import pixel_counts
from resvision.data.sets import open_splits
from resvision.data.validation import hold_out

DRAWS = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def values(*numbers: int, height: int = 6, width: int = 8) -> np.ndarray:
    """A mask that holds all of these values."""
    return np.resize(np.array(numbers, dtype=np.uint8), (height, width))


def pair(folder: Path, name: str, mask: np.ndarray, *, grey: bool = False) -> None:
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    shape = mask.shape if grey else (*mask.shape, 3)
    Image.fromarray(DRAWS.integers(0, 256, shape, dtype=np.uint8)).save(folder / "images" / f"{name}.png")
    Image.fromarray(mask).save(folder / "masks" / f"{name}.png")


def grow(folder: Path, count: int, *numbers: int) -> Path:
    for index in range(count):
        pair(folder, f"{index:03}", values(*(numbers or (0, 1, 2, VOID))))
    return folder


def sources(reader: Reader) -> list[str]:
    return [reader.source(index) for index in range(len(reader))]


def test_colours_of_labels_are_told_apart() -> None:
    colours = label_colours([f"class {i}" for i in range(21)]).astype(int)
    used = [*colours[:21], colours[VOID], np.zeros(3)]
    assert min(np.abs(a - b).max() for a, b in combinations(used, 2)) > 40
    assert colours[VOID].tolist() == [128] * 3
    assert not colours[21:VOID].any()


def test_the_background_is_black_and_moves_no_other_colour() -> None:
    plain, void = label_colours(["a", "b", "c"]), label_colours(["Background", "b", "c"])
    assert not void[0].any()
    assert plain[0].any()
    np.testing.assert_array_equal(plain[1:], void[1:])


def test_a_written_mask_is_read_as_it_was(tmp_path: Path) -> None:
    labels = DRAWS.integers(0, 256, (30, 20), dtype=np.uint8)
    colours = label_colours(["a"] * 21)
    write_mask(tmp_path / "x.png", labels, colours)
    assert np.array_equal(read_mask(tmp_path / "x.png"), labels)
    picture = Image.open(tmp_path / "x.png")
    assert picture.mode == "P"
    assert np.array_equal(np.asarray(picture.convert("RGB")), colours[labels])
    head = mask_header(tmp_path / "x.png")
    assert (head.format, head.width, head.height) == ("PNG", 20, 30)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palette_indices_of_few_bits_are_kept(tmp_path: Path, bits: int) -> None:
    stored = DRAWS.integers(0, 2**bits, (9, 11), dtype=np.uint8)
    picture = Image.fromarray(stored)
    picture.putpalette(label_colours([])[: 2**bits].tobytes())
    picture.save(tmp_path / "x.png", bits=bits)
    assert np.array_equal(read_mask(tmp_path / "x.png"), stored)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_grey_values_of_few_bits_are_not_scaled(tmp_path: Path, bits: int) -> None:
    stored = DRAWS.integers(0, 2**bits, (9, 11), dtype=np.uint8)
    (tmp_path / "x.png").write_bytes(grey_png(stored, bits))
    assert np.array_equal(read_mask(tmp_path / "x.png"), stored)


def grey_png(stored: np.ndarray, bits: int) -> bytes:
    """A grey PNG of so many bits a pixel, which Pillow does not write."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    digits = np.unpackbits(stored[:, :, None], axis=2)[:, :, 8 - bits :].reshape(len(stored), -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in digits)
    head = struct.pack(">IIBBBBB", stored.shape[1], stored.shape[0], bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bits_are_taken_where_the_values_fit(tmp_path: Path) -> None:
    Image.fromarray(values(0, 7, 255).astype(np.uint16)).save(tmp_path / "fits.png")
    assert np.array_equal(read_mask(tmp_path / "fits.png"), values(0, 7, 255))
    Image.fromarray(values(0, 1).astype(np.uint16) * 300).save(tmp_path / "large.png")
    with pytest.raises(DataError, match=r"large\.png: a label map with values up to 300; 0\.\.255 can be stored"):
        read_mask(tmp_path / "large.png")


@pytest.mark.parametrize(
    ("mode", "told"),
    [("RGB", "an RGB image"), ("RGBA", "an RGBA image"), ("LA", "a grey image with transparency")],
)
def test_colour_is_no_label_map(tmp_path: Path, mode: str, told: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / "x.png")
    for read in (read_mask, mask_header):
        with pytest.raises(DataError, match=f"x.png: {told} where a label map is due"):
            read(tmp_path / "x.png")


def test_a_jpeg_and_damaged_files_are_no_label_maps(tmp_path: Path) -> None:
    Image.new("L", (40, 40)).save(tmp_path / "x.jpg")
    with pytest.raises(DataError, match="a JPEG where a label map is due"):
        read_mask(tmp_path / "x.jpg")
    with pytest.raises(DataError, match="an empty file"):
        read_mask(b"", name="x")
    Image.fromarray(DRAWS.integers(0, 256, (40, 40), dtype=np.uint8)).save(tmp_path / "y.png")
    with pytest.raises(DataError, match="y: a damaged PNG"):
        read_mask((tmp_path / "y.png").read_bytes()[:-200], name="y")


def test_values_are_counted_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_masks, "COUNTED", 5)
    counts = count_values(values(0, 1, 1, 255))
    assert (counts[[0, 1, 2, 255]] == [12, 24, 0, 12]).all()
    assert counts.shape == (256,)
    assert counts.sum() == 48
    assert count_values(values(3, height=0)).sum() == 0


def test_stored_values_become_labels() -> None:
    labels = labels_of([7, 8, 11], [0, 255])
    assert labels[[7, 8, 11, 0, 255, 1]].tolist() == [0, 1, 2, VOID, VOID, UNKNOWN]


def test_a_class_list_is_names_in_order() -> None:
    classes, labels = class_list("road\n  tree of many words \n\ncar\n")
    assert classes == ("road", "tree of many words", "car")
    assert labels[[0, 1, 2, 3, 255]].tolist() == [0, 1, 2, UNKNOWN, VOID]


def test_a_class_list_may_state_values_and_what_is_void() -> None:
    classes, labels = class_list("0 background\n255 object\n")
    assert classes == ("background", "object")
    assert labels[[0, 255, 1]].tolist() == [0, 1, UNKNOWN]
    classes, labels = class_list("0 void\nwall\nfloor\n40 door\nvoid\n")
    assert classes == ("wall", "floor", "door")
    assert labels[[0, 1, 2, 40, 41, 255, 3]].tolist() == [VOID, 0, 1, 2, VOID, VOID, UNKNOWN]


@pytest.mark.parametrize("between", [":", ": ", ",", ", ", "\t", " ", " : "])
def test_value_and_name_are_parted_as_people_part_them(between: str) -> None:
    classes, labels = class_list(f"7{between}object of two words\n0{between}background\n9{between}void\n")
    assert classes == ("background", "object of two words")
    assert labels[[0, 7, 9, 1, 255]].tolist() == [0, 1, VOID, UNKNOWN, VOID]


def test_a_byte_order_mark_is_no_part_of_a_name() -> None:
    assert class_list("\ufeffbackground\nobject\n")[0] == ("background", "object")
    assert class_list("\ufeff1: object\n0: background\n")[0] == ("background", "object")


def test_only_a_list_with_a_line_for_255_states_that_it_is_void(tmp_path: Path) -> None:
    for text, stated in {"a\nb\n": False, "0 a\n1 b\n255 void\n": True, "0 a\n1 b\n2 void\n": False}.items():
        (tmp_path / "classes.txt").write_text(text)
        listed = listed_classes(tmp_path, [])
        assert listed is not None
        assert listed.states_void == stated


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("background, 0\nobject, 1", "'background, 0' has a number behind the name; write the value first"),
        ("", "no class; two are needed"),
        ("road\nvoid", "one class only, road; two are needed"),
        ("road\ntree\n0 car", "'road' and 'car' both have the value 0"),
        ("road\nroad", "'road' is there twice"),
        ("road\n256 tree", "'tree' has the value 256; masks hold 0..255"),
        ("\n".join(f"x{index}" for index in range(256)), "256 classes; labels end at 254, since 255 is void"),
    ],
)
def test_a_class_list_that_cannot_be_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        class_list(text)
    grow(tmp_path, 3)
    (tmp_path / "classes.txt").write_text(text)
    with pytest.raises(DataError, match=rf"classes\.txt: {told}"):
        open_splits(str(tmp_path), task="segmentation")


def test_a_folder_of_pairs_gives_a_fifth_to_val(tmp_path: Path) -> None:
    grow(tmp_path, 11)
    (tmp_path / "README.txt").touch()
    (tmp_path / "images" / ".hidden").touch()
    splits = open_splits(str(tmp_path), task="segmentation")
    train, test = splits.train, splits.test
    assert isinstance(train, Reader)
    assert splits.split_rule == "9 train / 2 val images, a fifth is val, after a shuffle with seed 0"
    assert len({*sources(train), *sources(test)}) == 11
    assert train.classes == test.classes == ("class 0", "class 1", "class 2")
    assert (train.view.kind, train.crop_px, train.view.channels) == ("whole", 6, 3)
    sample = train[3]
    assert sample.image.shape == (6, 8, 3)
    assert np.array_equal(sample.target, values(0, 1, 2, VOID))
    assert np.array_equal(sample.target, train.target(3))
    assert sample.target.dtype == np.uint8
    assert Path(train.target_source(3)) == tmp_path / "masks" / Path(train.source(3)).name
    assert sources(open_splits(str(tmp_path), task="segmentation").test) == sources(test)


def test_folders_train_and_val_are_the_splits(tmp_path: Path) -> None:
    for split, count in (("train", 3), ("test", 1)):
        grow(tmp_path / split, count)
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    splits = open_splits(str(tmp_path), task="segmentation")
    assert splits.split_rule == "3 train / 1 test images, from the folders train and test"
    assert splits.train.classes == ("a", "b", "c")
    grow(tmp_path / "valid", 2)
    splits = open_splits(str(tmp_path), task="segmentation")
    assert splits.split_rule.startswith(
        "3 train / 2 valid / 1 test images, from the folders train, valid and test; valid"
    )
    assert isinstance(splits.validation, Reader)
    assert sources(splits.validation) == [str(tmp_path / "valid" / "images" / f"00{index}.png") for index in range(2)]
    assert splits.validation.classes == ("a", "b", "c")
    assert (splits.validation.view, splits.validation.crop_px) == (splits.train.view, splits.train.crop_px)
    shutil.rmtree(tmp_path / "test" / "masks")
    splits = open_splits(str(tmp_path), task="segmentation")
    assert (splits.test.split, splits.validation) == ("valid", None)
    assert splits.split_rule.endswith("the folder test is left untouched")


def test_a_folder_without_splits_can_be_opened_whole(tmp_path: Path) -> None:
    grow(tmp_path, 7)
    whole = mask_folder.LAYOUT.open_whole(tmp_path, ())
    assert whole is not None
    splits = open_splits(str(tmp_path), task="segmentation")
    assert sources(whole.reader) == sorted([*sources(splits.train), *sources(splits.test)])
    assert (whole.reader.classes, whole.reader.view, whole.reader.split) == (
        splits.train.classes,
        splits.train.view,
        "all",
    )
    assert np.array_equal(whole.reader[2].target, values(0, 1, 2, VOID))
    (tmp_path / "classes.txt").write_text("a\nb\nc\nd\n")
    with pytest.raises(DataError, match="d never occurs in a mask"):
        open_splits(str(tmp_path), task="segmentation")
    listed = mask_folder.LAYOUT.open_whole(tmp_path, ())
    assert listed is not None
    assert listed.reader.classes == ("a", "b", "c", "d")
    for part in ("images", "masks"):
        shutil.copytree(tmp_path / part, tmp_path / "train" / part)
    assert mask_folder.LAYOUT.open_whole(tmp_path, ()) is None


def test_grey_images_are_shown_in_one_channel(tmp_path: Path) -> None:
    for name in "abc":
        pair(tmp_path, name, values(0, 1, height=700, width=600), grey=True)
    train = open_splits(str(tmp_path), task="segmentation").train
    assert (train.view.channels, train.crop_px) == (1, mask_folder.CROP_PX)
    assert open_splits(str(tmp_path), task="segmentation", channels=3).train.view.channels == 3
    assert open_splits(str(tmp_path), task="segmentation", image_size=64).train.crop_px == 64


def test_a_tar_is_as_good_as_the_folder(tmp_path: Path) -> None:
    grow(tmp_path / "set", 5)
    (tmp_path / "set" / "classes.txt").write_text("a\nb\nc\n")
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(tmp_path / "set", "set")
    here, there = (open_splits(str(tmp_path / name), task="segmentation") for name in ("set", "set.tar"))
    assert here.fingerprint() == there.fingerprint()
    for mine, theirs in zip(here[:2], there[:2], strict=True):
        for index in range(len(mine)):
            assert np.array_equal(mine[index].image, theirs[index].image)
            assert np.array_equal(mine[index].target, theirs[index].target)


def test_the_fingerprint_knows_the_names_of_masks_and_no_contents(tmp_path: Path) -> None:
    grow(tmp_path, 4)
    before = open_splits(str(tmp_path), task="segmentation").fingerprint()
    pair(tmp_path, "000", values(0, 2, 1))
    assert open_splits(str(tmp_path), task="segmentation").fingerprint() == before
    for part in ("images", "masks"):
        (tmp_path / part / "000.png").rename(tmp_path / part / "new.png")
    assert open_splits(str(tmp_path), task="segmentation").fingerprint() != before


def test_what_a_folder_is_for_must_be_what_is_asked_for(tmp_path: Path) -> None:
    grow(tmp_path, 4)
    with pytest.raises(SettingsError, match="a data set for segmentation, not for classification"):
        open_splits(str(tmp_path))
    with pytest.raises(SettingsError, match="digits: a data set for classification, not for segmentation"):
        open_splits("digits", task="segmentation")
    assert len(open_splits(str(tmp_path), task=None).train) == 3


def test_a_changed_mask_is_looked_at_again(tmp_path: Path) -> None:
    grow(tmp_path, 4)
    open_splits(str(tmp_path), task="segmentation")
    pair(tmp_path, "002", values(0, 1, 2, 3, 4))
    assert len(open_splits(str(tmp_path), task="segmentation").train.classes) == 5


def test_validation_of_masks_is_a_plain_share(tmp_path: Path) -> None:
    splits = open_splits(str(grow(tmp_path, 20)), task="segmentation")
    held = hold_out(splits, 0.25)
    assert (len(held.train), len(held.validation)) == (12, 4)
    assert isinstance(held.validation, Reader)
    assert not {*sources(held.train)} & {*sources(held.validation)}
    assert held.validation.target_source(0).endswith(Path(held.validation.source(0)).name)
    assert np.array_equal(held.validation[1].target, held.validation.target(1))
    assert "of the training images 25 % are held out" in held.split_rule
    assert held.fingerprint() != splits.fingerprint()


def test_a_share_of_one_image_cannot_be_held_out(tmp_path: Path) -> None:
    splits = open_splits(str(grow(tmp_path, 2)), task="segmentation")
    with pytest.raises(SettingsError, match="less than two training images"):
        hold_out(splits, 0.25)


def test_pixels_of_a_class_are_counted_and_void_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index, numbers in enumerate([(0, 1), (0, VOID), (1, 1, 1, 0), (2, VOID), (0, 1, 2, 0)]):
        pair(tmp_path, str(index), values(*numbers, height=2, width=6))
    splits = open_splits(str(tmp_path), task="segmentation")
    whole = [splits.train.target(index) for index in range(len(splits.train))]
    counted = pixel_counts(splits.train)
    assert counted.tolist() == [sum(int((mask == label).sum()) for mask in whole) for label in range(3)]
    held = hold_out(splits, 0.4)
    assert (pixel_counts(held.train) + pixel_counts(held.validation)).tolist() == counted.tolist()

    monkeypatch.setattr(mask_pairs, "read_mask", None)
    assert pixel_counts(splits.train).tolist() == counted.tolist()
    assert pixel_counts(held.train).sum() < counted.sum()
