import math

import numpy as np
import pytest
from scipy import ndimage

from resvision.loading.borders import border_term, border_weights, two_nearest


def touching_squares() -> np.ndarray:
    """Objects in columns 0..9 and 14..23, four pixels apart, in 20 rows."""
    mask = np.zeros((20, 24), dtype=np.uint8)
    mask[:, :10] = mask[:, 14:] = 1
    return mask


def test_the_term_is_w0_at_no_distance_and_a_seventh_of_it_ten_pixels_away() -> None:
    zero, five, none = np.zeros(1), np.full(1, 5.0), np.full(1, np.inf)
    assert border_term(zero, zero)[0] == 10.0
    assert border_term(five, five)[0] == pytest.approx(10 * math.exp(-2)) == pytest.approx(1.35335, abs=1e-5)
    assert border_term(zero, five * 2)[0] == border_term(five, five)[0]
    assert border_term(zero, none)[0] == 0.0


def test_between_two_objects_weights_follow_the_distances_to_both() -> None:
    weights = border_weights(touching_squares())
    for column, (d1, d2) in {10: (1, 4), 11: (2, 3), 13: (1, 4), 9: (0, 5), 7: (2, 7), 0: (9, 14)}.items():
        assert weights[7, column] == pytest.approx(1 + 10 * math.exp(-((d1 + d2) ** 2) / 50), rel=1e-6)
    assert weights.dtype == np.float32


def test_objects_that_touch_by_a_corner_are_two() -> None:
    mask = np.zeros((6, 6), dtype=np.uint8)
    mask[:3, :3] = mask[3:, 3:] = 1
    assert border_weights(mask)[2, 3] == pytest.approx(1 + 10 * math.exp(-(2**2) / 50))


@pytest.mark.parametrize("objects", [0, 1])
def test_fewer_than_two_objects_add_nothing(objects: int) -> None:
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[2:4, 2:4] = objects
    assert (border_weights(mask) == 1).all()


def test_classes_have_their_weights_and_void_has_none() -> None:
    mask = np.array([[0, 1, 2, 255]], dtype=np.uint8)
    assert border_weights(mask, foreground=3).tolist() == [[1, 1, 1, 0]]
    assert border_weights(mask, foreground=3, class_weights=[0.5, 2.0, 4.0]).tolist() == [[0.5, 2, 4, 0]]


def distances_to_border(inside: np.ndarray) -> np.ndarray:
    """The distance of each pixel to the nearest pixel of an object that has a side in common with what is outside."""
    padded = np.pad(inside, 1, mode="edge")
    surrounded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    rows, columns = np.nonzero(inside & ~surrounded)
    y, x = np.indices(inside.shape)
    squares = (y[..., None] - rows) ** 2 + (x[..., None] - columns) ** 2
    return np.sqrt(squares.min(axis=-1))


def test_a_pixel_deep_inside_an_object_counts_no_more_than_one_as_far_from_both_borders_outside() -> None:
    mask = np.zeros((41, 60), dtype=np.uint8)
    mask[:, :30] = mask[:, 32:] = 1
    weights = border_weights(mask)
    assert weights[20, 31] == pytest.approx(1 + 10 * math.exp(-(3**2) / 50))
    assert weights[20, 29] == pytest.approx(1 + 10 * math.exp(-(3**2) / 50))
    assert weights[20, 24] == pytest.approx(1 + 10 * math.exp(-((5 + 8) ** 2) / 50))
    assert weights[20, 10] == pytest.approx(1, abs=1e-6)


def test_an_object_that_fills_the_mask_has_no_border() -> None:
    assert (border_weights(np.ones((8, 8), dtype=np.uint8)) == 1).all()


def test_distances_are_those_to_every_object_measured_one_by_one() -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(0).random((60, 80)), 2.0)
    objects = noise > 0.51
    labels, count = ndimage.label(objects)
    assert count > 5
    every = np.sort([distances_to_border(labels == i) for i in range(1, count + 1)], axis=0)
    d1, d2 = two_nearest(objects, reach_px=100)
    assert np.array_equal(d1, every[0])
    assert np.array_equal(d2, every[1])
    exact = 1 + border_term(every[0], every[1])
    assert np.abs(border_weights(objects.astype(np.uint8)) - exact).max() < 1e-6


def test_a_width_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="sigma_px must be above 0, got 0"):
        border_weights(touching_squares(), sigma_px=0)
