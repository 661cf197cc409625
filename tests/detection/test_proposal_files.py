import pickle
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from resvision.core.errors import DataError
from resvision.detection.proposal_files import ProposalFile, fault_of, write
from resvision.kinds.detection.boxes import Floats

BOXES = np.array([[0.0, 0.0, 6.5, 4.0], [1.0, 1.0, 2.5, 3.0]])
SIDES = (4, 7)


def file_of(folder: Path, *names: str) -> ProposalFile:
    """A file in which the regions of each image are told by its place: the first has one, the second two, ..."""
    path = folder / "proposals.safetensors"
    write(path, {name: np.repeat(BOXES[:1], place, axis=0) for place, name in enumerate(names, start=1)})
    return ProposalFile(path)


def test_what_is_written_is_read_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "proposals.safetensors"
    write(path, {"train/a.png": BOXES, "train/b.png": np.empty((0, 4))})
    file = ProposalFile(path)
    for opened in (file, pickle.loads(pickle.dumps(file))):
        assert np.array_equal(opened.regions("train/a.png", SIDES), BOXES)
        assert opened.regions("train/b.png", SIDES).shape == (0, 4)


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ("/sets/cells/train/a.png", 1),
        ("train/a.png", 1),
        ("/elsewhere/val/a.png", 2),
        ("b.png", 3),
        ("/of/another/folder/b.png", 3),
        ("/sets/cells/deep/er/c.png", 4),
        ("/deep/er/c.png", 4),
    ],
)
def test_an_image_is_known_by_the_longest_end_of_its_path_or_by_a_file_name_that_one_alone_has(
    image: str, place: int, tmp_path: Path
) -> None:
    file = file_of(tmp_path, "train/a.png", "val/a.png", "train/b.png", "deep/er/c.png", "er/c.png")
    assert len(file.regions(image, SIDES)) == place


def test_images_that_the_file_does_not_know_are_named_with_the_nearest(tmp_path: Path) -> None:
    file = file_of(tmp_path, "train/a.png", "val/a.png", "train/cells_7.png")
    with pytest.raises(DataError, match=r"has no regions of cells_8.png, but of 3 other images, such as cells_7.png"):
        file.regions("cells_8.png", SIDES)
    with pytest.raises(DataError, match=r"test/a.png might be any of train/a.png, val/a.png"):
        file.require(["test/a.png"])


def test_one_entry_is_of_one_image_alone(tmp_path: Path) -> None:
    file = file_of(tmp_path, "a.png", "b.png")
    file.require(["train/a.png", "train/b.png"])
    with pytest.raises(DataError, match=r"a.png would be the entry of train/a.png and of val/a.png"):
        file.require(["train/a.png", "val/a.png"])


def shifted(**corners: float) -> Floats:
    boxes = BOXES.copy()
    for name, value in corners.items():
        boxes[1, ("left", "top", "right", "bottom").index(name)] = value
    return boxes


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        (shifted(right=np.nan), "box 1 has a corner that is no number"),
        (shifted(right=np.inf), "box 1 has a corner that is no number"),
        (shifted(right=7.6), "box 1 (1 1 7.6 3) lies outside of the image of 7 x 4 pixels"),
        (shifted(top=-1), "box 1 (1 -1 2.5 3) lies outside"),
        (shifted(right=1), "box 1 has no area (1 1 1 3)"),
        (BOXES * 0, "all corners lie in 0..1"),
        (BOXES / 7, "pixels are needed, not shares of its sides"),
        (np.array([[3.0, 2.0, 2.0, 1.0]] * 2), "not widths and heights"),
    ],
)
def test_boxes_that_cannot_be_regions_are_named_with_the_reason(boxes: Floats, words: str, tmp_path: Path) -> None:
    assert words in fault_of(boxes, SIDES)
    write(tmp_path / "proposals.safetensors", {"a.png": boxes})
    with pytest.raises(DataError, match=r"proposals.safetensors: a.png: "):
        ProposalFile(tmp_path / "proposals.safetensors").regions("a.png", SIDES)


def test_half_a_pixel_beyond_an_edge_is_rounding_and_cut_off(tmp_path: Path) -> None:
    write(tmp_path / "proposals.safetensors", {"a.png": shifted(right=7.4, top=-0.3)})
    regions = ProposalFile(tmp_path / "proposals.safetensors").regions("a.png", SIDES)
    assert regions[1].tolist() == [1, 0, 7, 3]


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (np.zeros((3, 5), dtype=np.float32), "is F32 3 x 5, not P x 4 numbers .*; leave out what is no corner"),
        (np.zeros(4, dtype=np.float32), "is F32 4, not P x 4"),
        (np.zeros((1, 4), dtype=np.uint8), "is U8 1 x 4, not P x 4"),
    ],
)
def test_tensors_of_another_form_are_refused(tensor: Floats, words: str, tmp_path: Path) -> None:
    save_file({"a.png": tensor}, tmp_path / "proposals.safetensors")
    with pytest.raises(DataError, match=words):
        ProposalFile(tmp_path / "proposals.safetensors").regions("a.png", SIDES)


def test_files_that_hold_no_tensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "proposals.safetensors"
    with pytest.raises(DataError, match=r"proposals.safetensors: cannot be read as safetensors .*No such file"):
        ProposalFile(path)
    path.write_text("x1 y1 x2 y2")
    with pytest.raises(DataError, match="cannot be read as safetensors"):
        ProposalFile(path)
    write(path, {})
    with pytest.raises(DataError, match="holds no tensors"):
        ProposalFile(path)
    write(path, {"a.png": BOXES})
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataError, match="cannot be read as safetensors"):
        ProposalFile(path)
