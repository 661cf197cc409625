"""Laws of boxes as plain arrays; torchvision's functions are the judge of overlaps."""

import numpy as np
import pytest
import torch
from torchvision.ops import box_area, box_iou

from resvision.geometry import boxes as geometry

HEIGHT, WIDTH = 60.0, 80.0


@pytest.fixture
def boxes() -> geometry.Floats:
    """Forty boxes of an image of 80 x 60, the last one without area."""
    corners = np.random.default_rng(3).uniform(0, (WIDTH, HEIGHT), (40, 2, 2))
    some = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    some[-1, 2] = some[-1, 0]
    return some


def test_area_and_iou_are_those_of_torchvision(boxes: geometry.Floats) -> None:
    judge = torch.from_numpy(boxes)
    np.testing.assert_allclose(geometry.area(boxes), box_area(judge).numpy(), rtol=1e-12)
    overlaps = geometry.iou(boxes[:15], boxes[:-1])
    np.testing.assert_allclose(overlaps, box_iou(judge[:15], judge[:-1]).numpy(), rtol=1e-12)
    assert (overlaps > 0.5).any()


def test_iou_is_symmetric_and_one_with_itself(boxes: geometry.Floats) -> None:
    overlaps = geometry.iou(boxes, boxes)
    np.testing.assert_allclose(overlaps, overlaps.T)
    np.testing.assert_allclose(np.diag(overlaps)[:-1], 1)
    assert not overlaps[-1].any(), "a box without area overlaps nothing, and nothing is divided by 0"


def test_no_boxes_have_measures_of_no_boxes(boxes: geometry.Floats) -> None:
    none = np.zeros((0, 4))
    assert geometry.iou(none, boxes).shape == (0, 40)
    assert geometry.iou(boxes, none).shape == (40, 0)
    assert geometry.visible_share(none, (0, 0, 1, 1)).shape == (0,)
    assert geometry.flipped(none, WIDTH).shape == geometry.clip(none, (0, 0, 1, 1)).shape == (0, 4)


def test_flipping_twice_is_nothing(boxes: geometry.Floats) -> None:
    np.testing.assert_allclose(geometry.flipped(geometry.flipped(boxes, WIDTH), WIDTH), boxes, atol=1e-12)
    assert not np.allclose(geometry.flipped(boxes, WIDTH), boxes)


def test_moving_there_and_back_is_nothing(boxes: geometry.Floats) -> None:
    there = geometry.moved(boxes, scale_x=2, scale_y=0.5, left=7, top=-3)
    back = geometry.moved(there, scale_x=0.5, scale_y=2, left=-3.5, top=6)
    np.testing.assert_allclose(back, boxes, atol=1e-12)
    np.testing.assert_allclose(geometry.area(there), geometry.area(boxes))


def test_a_window_shows_the_share_that_clipping_leaves() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [12, 2, 18, 8.0]])
    window = (10, 0, 20, 10)
    assert geometry.visible_share(boxes, window).tolist() == [0, 0.5, 0, 1]
    assert geometry.area(geometry.clip(boxes, window)).tolist() == [0, 50, 0, 36]
    assert geometry.clip(boxes, window)[1].tolist() == [10, 0, 15, 10]


def test_a_centre_on_the_edge_of_a_window_is_not_inside() -> None:
    boxes = np.array([[5, 0, 15, 10], [5, 0, 15.2, 10], [8, -3, 18, 4.0]])
    assert geometry.centre_inside(boxes, (10, 0, 20, 10)).tolist() == [False, True, True]
