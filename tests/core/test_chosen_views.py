"""Views that a person changes in a few words keep what was not said."""

from typing import Any

import pytest

from resvision.core.chosen_views import changed_view
from resvision.core.views import Letterbox, LongerSide, ShorterSide, Stretch, Whole

NORMALIZED: dict[str, Any] = {"channels": 3, "mean": (0.5,) * 3, "std": (0.25,) * 3}
DETECTOR = ShorterSide(**NORMALIZED, shorter_px=800, longest_px=1333, interpolation="bilinear-aliased")


def test_a_shorter_side_keeps_its_longest_in_proportion_and_its_interpolation() -> None:
    assert changed_view(DETECTOR, resize_px=400) == ShorterSide(
        **NORMALIZED, shorter_px=400, longest_px=666, interpolation="bilinear-aliased"
    )
    assert changed_view(LongerSide(**NORMALIZED, longer_px=90), resize="shorter-side", resize_px=50) == ShorterSide(
        **NORMALIZED, shorter_px=50
    )


def test_a_letterbox_keeps_its_fill() -> None:
    letterbox = Letterbox(**NORMALIZED, size_px=64, fill=128)
    assert changed_view(letterbox, mean=(0.1,)) == Letterbox(**NORMALIZED | {"mean": (0.1,) * 3}, size_px=64, fill=128)
    assert changed_view(letterbox, resize="stretch") == Stretch(**NORMALIZED, resize_px=64, crop_px=64)


def test_another_way_to_resize_takes_the_side_that_there_was() -> None:
    square = changed_view(DETECTOR, resize="letterbox")
    assert square == Letterbox(**NORMALIZED, size_px=800, interpolation="bilinear-aliased")
    with pytest.raises(ValueError, match="resize_px"):
        changed_view(Whole(**NORMALIZED), resize="letterbox")
