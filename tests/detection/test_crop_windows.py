"""SSD's samplers, and the canvas of an expanded image."""

import numpy as np

from resvision.core.draws import uniform
from resvision.detection.crop_windows import OVERLAP_SLOTS, expanded, overlap_window
from resvision.geometry import boxes as geometry

CANVAS = (-20.0, 10.0, 180.0, 110.0)
BOXES = np.array([[0, 20, 100, 100], [150, 50, 170, 80.0]])
DRAWS = uniform(1, 0, np.arange(600), OVERLAP_SLOTS)


def _windows(*overlaps: float, boxes: geometry.Floats = BOXES) -> geometry.Floats:
    ways = {"scale": (0.3, 1.0), "ratio": (0.5, 2.0)}
    return np.array([overlap_window(CANVAS, boxes, overlaps=overlaps, **ways, draws=draws) for draws in DRAWS])


def test_a_crop_lies_in_the_canvas_and_has_its_scale_and_shape() -> None:
    windows = _windows(0.1, 0.5)
    np.testing.assert_allclose(geometry.clip(windows, CANVAS), windows, atol=1e-9)
    width, height = (geometry.sides(windows) / (200, 100)).T
    assert ((width / height > 0.5 - 1e-9) & (width / height < 2 + 1e-9)).all()
    assert (np.sqrt(width * height) >= 0.3).all()
    assert np.sqrt(width * height).min() < 0.35


def test_a_sampler_gives_crops_of_its_overlap_and_all_have_an_equal_share() -> None:
    free = _windows()
    assert 0.44 < np.mean((free == CANVAS).all(axis=1)) < 0.56
    overlapping = _windows(0.5)
    assert 0.28 < np.mean((overlapping == CANVAS).all(axis=1)) < 0.39
    best, of_free = (geometry.iou(windows, BOXES).max(axis=1) for windows in (overlapping, free))
    assert np.mean(best >= 0.5) > np.mean(of_free >= 0.5) + 0.2, (
        "a third of the crops has the overlap that is asked for"
    )


def test_a_crop_holds_the_centre_of_an_object_if_there_is_one() -> None:
    middle = geometry.centres(BOXES)
    windows = _windows()
    for window in windows:
        assert ((middle > window[:2]) & (middle < window[2:])).all(axis=1).any()
    without_objects = _windows(boxes=np.zeros((0, 4)))
    assert (without_objects != windows).any()


def test_an_overlap_that_no_crop_has_leaves_the_other_samplers() -> None:
    np.testing.assert_array_equal(_windows(0.999), _windows())
    none = np.zeros((0, 4))
    np.testing.assert_array_equal(_windows(0.1, boxes=none), _windows(boxes=none))
    beyond_every_crop = np.array([[400, 400, 500, 500.0]])
    assert (_windows(0.1, boxes=beyond_every_crop) == CANVAS).all()


def test_an_expanded_canvas_holds_the_image_and_keeps_its_shape() -> None:
    canvases = np.array([expanded(60, 80, 4.0, draws) for draws in DRAWS[:, :3]])
    assert (canvases[:, :2] <= 0).all()
    assert (canvases[:, 2:] >= (80, 60)).all()
    factors = geometry.sides(canvases) / (80, 60)
    np.testing.assert_allclose(factors[:, 0], factors[:, 1])
    assert 1 <= factors.min() < 1.1
    assert 3.9 < factors.max() <= 4
    assert np.array(expanded(60, 80, 4.0, np.zeros(3))).tolist() == [0, 0, 80, 60]
