"""A placement draws the part of an image that its numbers say, and no more of the image is read."""

import numpy as np
import pytest

from resvision.core.resampling import Interpolation, resample
from resvision.geometry.placements import Placement, letterboxed, stretched

IMAGE = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("window", [(0, 0, 320, 240), (30.4, 50.7, 90.2, 80.1), (200, 10, 320, 240)])
def test_a_window_fills_the_square_as_if_the_whole_image_were_read(
    window: tuple[float, float, float, float], interpolation: Interpolation
) -> None:
    area, pixels = stretched(window, 64).pixels(IMAGE, interpolation)
    assert area == (0, 0, 64, 64)
    expected = resample(IMAGE, 64, 64, interpolation, window)
    assert np.abs(pixels.astype(int) - expected).max() <= 2  # Pillow rounds after rows or after columns, as sides say


def test_a_window_beyond_the_image_shows_it_where_it_lies() -> None:
    area, pixels = stretched((-320, -240, 320, 240), 64).pixels(IMAGE, "bilinear")
    assert area == (32, 32, 64, 64)
    assert np.abs(pixels.astype(int) - resample(IMAGE, 32, 32, "bilinear")).max() <= 1


def test_a_letterbox_keeps_proportions_and_lies_in_the_middle() -> None:
    placement = letterboxed((0, 0, 320, 240), 64)
    assert placement == Placement(0.2, 0.2, 0, 8, (0, 8, 64, 56))
    np.testing.assert_allclose(placement.boxes(np.array([[0, 0, 320, 240.0]])), [[0, 8, 64, 56]])


def test_an_image_outside_of_its_area_shows_nothing() -> None:
    area, pixels = Placement(1, 1, 100, 0, (0, 0, 64, 64)).pixels(IMAGE, "bilinear")
    assert area == (0, 0, 0, 0)
    assert pixels.size == 0
