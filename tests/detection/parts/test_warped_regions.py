"""Regions warped to squares with their context."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from resvision.detection.parts.warped_regions import warped, with_context

PAPER = {"side_px": 227, "context_px": 16}


def square_of(image: Tensor, box: tuple[float, float, float, float], **kind: float) -> Tensor:
    kind = kind or PAPER
    return warped(image[None], torch.zeros(1, dtype=torch.int64), torch.tensor([box]), **kind)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("box", [(40, 30, 70, 90), (100, 20, 180, 44)])
def test_an_object_fills_195_pixels_in_the_middle_of_227_whatever_its_shape(box: tuple[int, int, int, int]) -> None:
    image = torch.zeros(1, 120, 200)
    left, top, right, bottom = box
    image[:, top:bottom, left:right] = 1
    inside = square_of(image, box)[0] > 0.5
    expected = (torch.arange(227) >= 16) & (torch.arange(227) < 227 - 16)
    assert int(expected.sum()) == 195
    for along_the_middle in (inside[113], inside[:, 113]):  # its corners are rounded
        assert torch.equal(along_the_middle, expected)


@pytest.mark.parametrize("side_px", [64, 100, 224])
def test_the_context_keeps_its_share_of_other_squares(side_px: int) -> None:
    image = torch.zeros(1, 120, 200)
    image[:, 30:90, 40:70] = 1
    share = (square_of(image, (40, 30, 70, 90), side_px=side_px, context_px=16 * side_px / 227) > 0.5).float().mean()
    assert float(share) == pytest.approx((195 / 227) ** 2, abs=2.5 / side_px)


def test_a_region_grown_by_its_context_is_227_to_195_of_it_about_its_centre() -> None:
    grown = with_context(torch.tensor([[10.0, 20.0, 49.0, 98.0]], dtype=torch.float64), 16 / 227)[0]
    width, height = 39 * 227 / 195, 78 * 227 / 195
    expected = [29.5 - width / 2, 59 - height / 2, 29.5 + width / 2, 59 + height / 2]
    torch.testing.assert_close(grown.tolist(), expected)


def test_inside_the_image_the_square_is_a_bilinear_resize_without_antialiasing() -> None:
    image = torch.rand(3, 90, 110)
    # With a context of 32 pixels of 96 on each side the region of 20 x 10 px becomes 60 x 30 px.
    found = square_of(image, (40, 40, 60, 50), side_px=96, context_px=32)
    cut = image[:, 30:60, 20:80]
    expected = F.interpolate(cut[None], (96, 96), mode="bilinear", align_corners=False, antialias=False)[0]
    # At the edge of the cut a resize repeats its last pixel, where the image goes on.
    torch.testing.assert_close(found[:, 3:-3, 3:-3], expected[:, 3:-3, 3:-3], rtol=1e-4, atol=1e-5)


def test_beyond_the_image_lies_the_mean_colour() -> None:
    image = torch.full((3, 50, 50), 7.0)
    square = square_of(image, (0, 10, 20, 30))
    # 16 pixels of context, of which 0.5 * 195 / 20 are half a pixel of the image, for which its edge goes on.
    assert (square[:, :, :11] == 0).all()
    torch.testing.assert_close(square[:, :, 12:], torch.full((3, 227, 215), 7.0))


def test_every_region_is_taken_from_its_own_image() -> None:
    images = torch.arange(4.0)[:, None, None, None].expand(4, 1, 30, 30)
    regions = torch.tensor([[5.0, 5.0, 20.0, 25.0]]).expand(3, 4)
    squares = warped(images, torch.tensor([3, 0, 2]), regions, side_px=16, context_px=1)
    np.testing.assert_array_equal(squares[:, 0, 8, 8], [3, 0, 2])
