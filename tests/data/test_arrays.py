"""Readers over arrays refuse targets that do not fit their images or classes."""

import numpy as np
import pytest

from resvision.core.errors import DataError
from resvision.core.views import Whole
from resvision.data.arrays import BoxArrayReader
from resvision.kinds.detection.boxes import BoxTargets


def reader(*boxes: tuple[float, float, float, float], label: int = 0, images: int = 1) -> BoxArrayReader:
    targets = BoxTargets.of(np.array(boxes, dtype=np.float64), np.full(len(boxes), label))
    view = Whole(channels=1, mean=(0.5,), std=(0.5,))
    pixels = [np.zeros((8, 10), dtype=np.uint8)] * images
    return BoxArrayReader(name="made", split="train", classes=("a",), view=view, images=pixels, boxes=[targets])


def test_boxes_inside_their_image_are_taken_as_they_are() -> None:
    made = reader((0, 0, 10, 8), (1.5, 2, 3, 4.25))
    assert made[0].target.boxes.tolist() == [[0, 0, 10, 8], [1.5, 2, 3, 4.25]]
    assert made.target(0) is made[0].target
    assert made.target_source(0) == "made/train[0] boxes"
    assert len(reader().target(0).boxes) == 0


@pytest.mark.parametrize("box", [(0, 0, 10.5, 8), (-1, 0, 3, 3), (2, 2, 2, 5), (0, 5, 3, 4), (0, float("nan"), 3, 4)])
def test_boxes_that_are_empty_or_not_inside_are_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(DataError, match=r"made/train\[0\]: the box .* is empty or not inside the image of 10 x 8"):
        reader(box)


def test_labels_and_counts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match=r"label 1 is not one of 0\.\.0"):
        reader((0, 0, 1, 1), label=1)
    with pytest.raises(DataError, match="2 images, but boxes for 1"):
        reader((0, 0, 1, 1), images=2)
