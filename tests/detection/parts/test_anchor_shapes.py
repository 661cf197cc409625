import pytest
import torch
from torchvision.ops import box_iou

from resvision.core.errors import SettingsError
from resvision.detection.parts.anchor_shapes import read_shapes, shape_overlaps

NAMED = {"ours": ((1.0, 2.0), (3.0, 4.0))}


def test_shapes_are_a_name_or_numbers_parted_by_commas_and_blanks() -> None:
    assert read_shapes("ours", NAMED) == ((1.0, 2.0), (3.0, 4.0))
    assert read_shapes("10,13 16,30", NAMED) == ((10.0, 13.0), (16.0, 30.0))
    assert read_shapes(" 10,13,  16,30,\n33.5,23", NAMED) == ((10.0, 13.0), (16.0, 30.0), (33.5, 23.0)), "as in a cfg"


@pytest.mark.parametrize("text", ["theirs", "", "10", "10,13 16", "10,-13", "10,0", "10,inf", "10,nan"])
def test_other_texts_are_told_apart_with_the_remedy(text: str) -> None:
    with pytest.raises(SettingsError, match="say ours, or give width and height of each in pixels"):
        read_shapes(text, NAMED)


def test_maps_share_shapes_evenly() -> None:
    assert len(read_shapes("1,1 2,2 3,3 4,4 5,5 6,6", NAMED, maps=3)) == 6
    with pytest.raises(SettingsError, match="4 cannot be shared evenly by 3 maps"):
        read_shapes("1,1 2,2 3,3 4,4", NAMED, maps=3)


def test_overlaps_of_shapes_are_those_of_boxes_about_one_centre() -> None:
    draws = torch.Generator().manual_seed(0)
    sides, shapes = 100 * torch.rand(2, 3, 2, generator=draws), 100 * torch.rand(4, 2, generator=draws)
    expected = box_iou(*(torch.cat([-some.reshape(-1, 2), some.reshape(-1, 2)], dim=1) for some in (sides, shapes)))
    torch.testing.assert_close(shape_overlaps(sides, shapes), expected.view(2, 3, 4))
