"""Anchors: the tables of the papers, and torchvision's."""

import math

import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from resvision.detection.parts.anchors import centred_cells, cornered_cells, grid, scaled_cells

# 0-based, with the last pixel that belongs to the box
FASTER_RCNN = [
    (-84, -40, 99, 55),
    (-176, -88, 191, 103),
    (-360, -184, 375, 199),
    (-56, -56, 71, 71),
    (-120, -120, 135, 135),
    (-248, -248, 263, 263),
    (-36, -80, 51, 95),
    (-80, -168, 95, 183),
    (-168, -344, 183, 359),
]


def test_the_anchors_of_faster_rcnn_are_those_of_its_table() -> None:
    cells = scaled_cells((8, 16, 32))
    cells[:, 2:] -= 1
    assert [tuple(map(int, box)) for box in cells.tolist()] == FASTER_RCNN


def test_centred_anchors_have_the_area_of_their_size_their_ratio_and_the_cells_centre() -> None:
    sizes = [32 * 2 ** (octave / 3) for octave in range(3)]
    cells = centred_cells(sizes, stride=8).double()
    sides = cells[:, 2:] - cells[:, :2]
    assert torch.allclose((cells[:, 2:] + cells[:, :2]) / 2, torch.full((9, 2), 4.0).double(), atol=1e-5)
    assert torch.allclose(sides.prod(dim=1), torch.tensor(sizes * 3).double() ** 2, rtol=1e-6)
    ratios = torch.tensor([0.5, 1, 2]).double().repeat_interleave(3)
    assert torch.allclose(sides[:, 1] / sides[:, 0], ratios, rtol=1e-6)


def test_cornered_anchors_are_torchvisions_on_every_cell_in_their_order() -> None:
    sizes = (32, 40, 50)
    images = ImageList(torch.zeros(1, 3, 96, 128), [(96, 128)])
    theirs = AnchorGenerator((sizes,), ((0.5, 1.0, 2.0),))(images, [torch.zeros(1, 1, 11, 13)])[0]
    ours = grid(cornered_cells(sizes), 11, 13, stride=(96 // 11, 128 // 13))
    assert torch.equal(ours, theirs)


def test_the_anchors_of_neighbouring_cells_lie_a_stride_apart() -> None:
    cells = centred_cells([16.0], [1.0], stride=8)
    anchors = grid(cells, 2, 3, stride=8)
    assert anchors.shape == (6, 4)
    assert anchors[0].tolist() == [-4, -4, 12, 12]
    assert (anchors[1] - anchors[0]).tolist() == [8, 0, 8, 0]
    assert (anchors[3] - anchors[0]).tolist() == [0, 8, 0, 8]


def test_an_odd_ratio_keeps_its_area() -> None:
    (box,) = centred_cells([10.0], [3.0], stride=4).tolist()
    assert math.isclose((box[2] - box[0]) * (box[3] - box[1]), 100, rel_tol=1e-6)
