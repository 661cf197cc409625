"""Label maps over their images: what is blended, what is left, and how much of a large image is held for it."""

import tracemalloc

import numpy as np
import pytest

from resvision.core.masks import label_colours
from resvision.kinds.segmentation import overlays
from resvision.kinds.segmentation.overlays import OPACITY, overlay

NAMES = ("ground", "square")
COLOURS = label_colours(NAMES)
DRAWS = np.random.default_rng(0)


@pytest.mark.parametrize("channels", [1, 3])
def test_colours_are_blended_and_void_leaves_the_image(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    image = DRAWS.integers(0, 256, (11, 90, channels), dtype=np.uint8)
    labels = DRAWS.choice(np.array([0, 1, 255], dtype=np.uint8), (11, 90))
    monkeypatch.setattr(overlays, "ROWS", 4)
    seen = np.asarray(overlay(image, labels, COLOURS, NAMES))
    blended = (1 - OPACITY) * image + OPACITY * COLOURS[labels]
    expected = np.where(labels[:, :, None] == 255, image, blended)
    assert np.abs(seen[:11] - expected).max() < 1.01  # what is cut off
    assert len(seen) > 11 + 10  # the legend
    assert (seen[11:] == COLOURS[1]).all(axis=2).any()


def test_a_large_image_is_blended_in_little_memory() -> None:
    image = np.zeros((8000, 400, 3), dtype=np.uint8)
    labels = np.ones((8000, 400), dtype=np.uint8)
    tracemalloc.start()  # sees the arrays, not the picture itself, which Pillow holds
    try:
        overlay(image, labels, COLOURS, NAMES)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < image.nbytes
