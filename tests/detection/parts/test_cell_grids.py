import math

import torch
from torchvision.ops import box_iou

from resvision.detection.parts.cell_grids import CellGrids
from resvision.detection.parts.matching import paired_overlaps

GRIDS = CellGrids({"C5": ((100.0, 80.0), (40.0, 60.0)), "C4": ((10.0, 20.0), (20.0, 10.0))}, {"C5": 32, "C4": 16})
SIZES = {"C5": (2, 3), "C4": (4, 6)}
CPU = torch.device("cpu")


def test_raw_zeros_give_the_centre_of_the_cell_and_the_anchor() -> None:
    cells = GRIDS.cells(SIZES, CPU)
    boxes = cells.decode(torch.zeros(60, 4))
    assert torch.equal(boxes, cells.anchors)
    assert boxes[0].tolist() == [16 - 50, 16 - 40, 16 + 50, 16 + 40], "the first anchor of the first cell of C5"
    assert boxes[1].tolist() == [16 - 20, 16 - 30, 16 + 20, 16 + 30], "anchors of a cell lie together"
    assert boxes[2].tolist() == [48 - 50, 16 - 40, 48 + 50, 16 + 40], "then the next cell of the row"
    assert boxes[12].tolist() == [8 - 5, 8 - 10, 8 + 5, 8 + 10], "then the next map"


def test_a_box_is_told_as_in_the_paper() -> None:
    raw = torch.tensor([0.3, -1.2, 0.5, -0.4])
    cells = GRIDS.cells(SIZES, CPU).at(torch.tensor([2 * 4 + 1]))  # row 1, column 1 of C5, the second anchor
    (x1, y1, x2, y2) = cells.decode(raw[None])[0].tolist()
    x, y = (32 * (1 + 1 / (1 + math.exp(-t))) for t in (0.3, -1.2))
    wide, high = 40 * math.exp(0.5), 60 * math.exp(-0.4)
    for found, expected in zip((x1, y1, x2, y2), (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2), strict=True):
        assert abs(found - expected) < 1e-4


def test_a_centre_never_leaves_its_cell_and_sides_stay_finite() -> None:
    cells = GRIDS.cells(SIZES, CPU)
    for extreme in (-1e4, 1e4):
        boxes = cells.decode(torch.full((60, 4), extreme))
        assert torch.isfinite(boxes).all()
        shifts = (boxes[:, :2] + boxes[:, 2:]) / 2 - (cells.anchors[:, :2] + cells.anchors[:, 2:]) / 2
        assert (shifts.abs() <= cells.strides / 2 + 1e-3).all()


def test_decoding_what_was_encoded_gives_the_box() -> None:
    cells = GRIDS.cells(SIZES, CPU)
    raw = torch.randn(60, 4, generator=torch.Generator().manual_seed(1))
    wanted = cells.encode(cells.decode(raw))
    torch.testing.assert_close(wanted[:, :2], raw[:, :2].sigmoid(), atol=1e-4, rtol=0)
    torch.testing.assert_close(wanted[:, 2:], raw[:, 2:], atol=1e-4, rtol=0)


def test_the_place_of_a_box_is_its_cell_at_the_anchor_of_its_shape() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 98.0, 60.0], [20.0, 4.0, 60.0, 64.0], [70.0, 40.0, 92.0, 50.0]]])
    # centres 49,30 40,34 81,45: of C5 row 0, column 1, anchor 0; row 1, column 1, anchor 1; of C4 row 2, column 5
    assert GRIDS.places(boxes, SIZES).tolist() == [[1 * 2, (3 + 1) * 2 + 1, 12 + (2 * 6 + 5) * 2 + 1]]


def test_boxes_like_anchors_are_found_at_these() -> None:
    anchors = GRIDS.cells(SIZES, CPU).anchors
    assert GRIDS.places(anchors[None], SIZES).tolist() == [[*range(60)]]


def test_a_centre_on_the_far_edge_belongs_to_the_last_cell() -> None:
    boxes = torch.tensor([[[96.0, 64.0, 96.0, 64.0], [-5.0, -5.0, 1.0, 1.0]]])
    first, second = GRIDS.places(boxes, SIZES)[0].tolist()
    assert (first, second) == (5 * 2, 12), "the last cell of C5, and the first one of C4"


def test_paired_overlaps_are_those_of_torchvision() -> None:
    corners = 50 * torch.rand(2, 20, 4, generator=torch.Generator().manual_seed(2))
    boxes, others = torch.cat([corners[..., :2], corners[..., :2] + corners[..., 2:]], dim=-1)
    torch.testing.assert_close(paired_overlaps(boxes, others), box_iou(boxes, others).diagonal())
    assert paired_overlaps(boxes[:, [0, 1, 0, 1]], boxes[:, [0, 1, 0, 1]]).tolist() == [0.0] * 20, "boxes without area"
