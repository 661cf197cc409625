"""The anchors of one cell are found among all of a map, named, and drawn to scale."""

import numpy as np
import pytest
import torch

from resvision.detection.anchor_cells import PICTURE_PX, ROOM, middle_cells, picture, shape
from resvision.detection.parts.anchors import centred_cells, cornered_cells, grid
from resvision.detection.parts.priors import Priors


@pytest.mark.parametrize(
    "cell", [centred_cells([32, 51], stride=16), cornered_cells([32, 51])], ids=["centre", "corner"]
)
def test_the_middle_cell_has_the_anchors_of_a_cell_and_the_stride_of_its_map(cell: torch.Tensor) -> None:
    anchors = {"P4": grid(cell, 6, 9, stride=16), "P5": grid(cell, 1, 1, stride=96)}
    near, alone = middle_cells(anchors, (96, 144))
    assert (near.name, near.cells) == ("P4", 54)
    assert near.stride_px == pytest.approx((16, 16), abs=1e-3)
    np.testing.assert_allclose(near.boxes - near.boxes[0], (cell - cell[0]).double(), atol=1e-4)
    assert near.names[:3] == ["32 px 2:1", "51 px 2:1", "32 px 1:1"]
    assert np.abs(np.median(near.boxes, axis=0).reshape(2, 2).mean(axis=0) - (72, 48)).max() <= 16
    assert (alone.cells, alone.stride_px) == (1, (None, None))


def test_shapes_are_whole_numbers_where_these_are_small() -> None:
    assert [shape(ratio) for ratio in (0.5, 1, 2, 1 / 3, 1.41)] == ["2:1", "1:1", "1:2", "3:1", "1:1.4"]


def test_anchors_are_drawn_where_they_lie_at_one_scale_over_all_maps() -> None:
    image = np.zeros((100, 100, 1), dtype=np.uint8)
    priors = Priors((20.0, 60.0, 90.0), ((), ()), input_px=100)
    maps = dict(zip("ab", priors.boxes([(5, 5), (1, 1)], (100, 100)), strict=True))
    cells = middle_cells(maps, (100, 100))
    assert [cell.sizes.round().tolist() for cell in cells] == [[20, 35], [60, 73]]
    sheet = np.asarray(picture(cells, image))
    panel = sheet[4 : 4 + PICTURE_PX, 4 : 4 + PICTURE_PX].astype(int)
    colourful = np.ptp(panel, axis=2) > 60
    rows, columns = np.nonzero(colourful)
    scale = PICTURE_PX / 100  # no anchor reaches beyond the image, which fills the panel
    expected = np.array([50 - 34.64 / 2, 50 + 34.64 / 2]) * scale
    for lines in (rows, columns):
        np.testing.assert_allclose([lines.min(), lines.max() + 1], expected, atol=1.5)


def test_anchors_much_larger_than_the_image_do_not_shrink_it() -> None:
    image = np.full((100, 100, 3), 255, dtype=np.uint8)
    huge = {"P7": grid(centred_cells([800], stride=100), 1, 1, stride=100)}
    sheet = np.asarray(picture(middle_cells(huge, (100, 100)), image))
    white = (sheet[4 : 4 + PICTURE_PX, 4 : 4 + PICTURE_PX].min(axis=2) > 150).any(axis=0).sum()
    assert white == pytest.approx(PICTURE_PX / (1 + 2 * ROOM), abs=3)
