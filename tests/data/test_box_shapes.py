"""Shapes of the boxes of a set in squares, as its view shows them."""

import numpy as np
import pytest
from detection.box_scenes import VIEW, box_reader, targets

from resvision.core.views import Stretch, View
from resvision.data.arrays import BoxArrayReader
from resvision.data.box_shapes import box_shapes

STRETCH = Stretch(channels=3, mean=VIEW.mean, std=VIEW.std, resize_px=8, crop_px=8)


def reader(view: View = VIEW) -> BoxArrayReader:
    """One image of 40 x 20 with a box of 10 x 6 and a crowd region."""
    truth = targets([(2, 4, 12, 10), (0, 0, 40, 20)])
    truth.crowd[1] = True
    images = [np.zeros((20, 40, 3), dtype=np.uint8)]
    return BoxArrayReader(
        name="boxes", split="train", classes=("a",), view=view, crop_px=None, images=images, boxes=[truth]
    )


def test_boxes_keep_their_proportions_where_images_are_fitted_into_squares() -> None:
    assert box_shapes(reader(), 80).tolist() == [[20, 12]]
    assert box_shapes(reader(), 160).tolist() == [[40, 24]]


def test_boxes_are_stretched_where_images_are() -> None:
    assert box_shapes(reader(STRETCH), 80).tolist() == [[20, 24]]


@pytest.mark.parametrize("count", [0, 3])
def test_all_boxes_of_all_images_are_taken(count: int) -> None:
    source = box_reader(((32, 32),) * 4, counts=(count,))
    shapes = box_shapes(source, 32)
    assert shapes.shape == (4 * count, 2)
    assert {tuple(shape) for shape in shapes.tolist()} <= {(14, 8), (8, 14)}
