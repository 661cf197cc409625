"""RoI pooling: torchvision is the judge, forward and backward, and of which map a region is taken from."""

import math

import pytest
import torch
from torch import Tensor
from torchvision.ops import MultiScaleRoIAlign, roi_pool

from resvision.detection.parts.roi_pooling import RoIAlign, RoIMaxPool, levels

SIDES = (96, 128)
STRIDES = {"P2": 4, "P3": 8, "P4": 16, "P5": 32}


def pyramid() -> dict[str, Tensor]:
    return {
        name: torch.randn(2, 5, *(side // stride for side in SIDES), requires_grad=True)
        for name, stride in STRIDES.items()
    }


def regions(count: int = 60) -> Tensor:
    """Regions of all sizes: whole images, corners, slivers, empty places and some that reach beyond the image."""
    height, width = SIDES
    corners = torch.rand(2, count, 2) * torch.tensor([width, height])
    sides = 200 * torch.rand(2, count, 2) ** 3
    boxes = torch.cat([corners, corners + sides], dim=-1)
    boxes[:, : count // 2] = boxes[:, : count // 2].minimum(torch.tensor([width, height, width, height]))
    boxes[:, 0] = torch.tensor([0, 0, width, height])
    boxes[:, 1] = torch.tensor([width - 1, height - 1, width, height])
    boxes[:, 2] = 0
    return boxes


@pytest.mark.usefixtures("float64")
def test_roi_align_and_its_gradients_are_torchvisions() -> None:
    maps, boxes = pyramid(), regions()
    theirs = MultiScaleRoIAlign([*STRIDES], output_size=7, sampling_ratio=2)(maps, [*boxes], [SIDES] * 2)
    ours = RoIAlign(STRIDES)(maps, boxes)
    assert ours.shape == (120, 5, 7, 7)
    assert torch.allclose(ours, theirs, atol=1e-12)
    weights = torch.randn_like(ours)
    expected = torch.autograd.grad(theirs, [*maps.values()], weights, allow_unused=True)
    found = torch.autograd.grad(ours, [*maps.values()], weights)
    for name, of_ours, of_theirs in zip(STRIDES, found, expected, strict=True):
        assert of_theirs is not None
        assert torch.allclose(of_ours, of_theirs, atol=1e-11), name


@pytest.mark.usefixtures("float64")
def test_roi_max_pooling_and_its_gradients_are_torchvisions_and_empty_cells_are_zero() -> None:
    pixels = torch.randn(2, 5, 6, 8, requires_grad=True)
    boxes = regions()
    inclusive = boxes - torch.tensor([0.0, 0.0, 1.0, 1.0])
    theirs = roi_pool(pixels, [*inclusive], 7, 1 / 16)
    ours = RoIMaxPool("C4", 16)({"C4": pixels}, boxes)
    assert torch.equal(ours, theirs)
    weights = torch.randn_like(ours)
    assert torch.equal(*(torch.autograd.grad(grids, pixels, weights)[0] for grids in (ours, theirs)))
    beyond = torch.tensor([[[300.0, 300.0, 400.0, 400.0]]]).expand(2, 1, 4)
    assert not RoIMaxPool("C4", 16)({"C4": pixels}, beyond).any()


def pooled(pixels: Tensor, box: Tensor, grid: int) -> Tensor:
    """The greatest value of each cell by the rule of the released code, whose boxes end at the last pixel inside."""
    left, top, right, bottom = (math.floor(edge / 16 + 0.5) for edge in (box - torch.tensor([0.0, 0, 1, 1])).tolist())
    across, down = max(right - left + 1, 1), max(bottom - top + 1, 1)
    cells = torch.zeros(len(pixels), grid, grid)
    for row in range(grid):
        for column in range(grid):
            rows = range(top + row * down // grid, top - -(row + 1) * down // grid)
            columns = range(left + column * across // grid, left - -(column + 1) * across // grid)
            inside = [
                pixels[:, y, x] for y in rows for x in columns if 0 <= y < pixels.shape[1] and 0 <= x < pixels.shape[2]
            ]
            if inside:
                cells[:, row, column] = torch.stack(inside).amax(dim=0)
    return cells


@pytest.mark.parametrize("grid", [6, 7])
def test_roi_max_pooling_is_the_rule_of_the_released_code_cell_by_cell(grid: int) -> None:
    pixels, boxes = torch.randn(2, 3, 6, 8), regions(20)
    grids = RoIMaxPool("C4", 16, grid=grid)({"C4": pixels}, boxes).view(2, 20, 3, grid, grid)
    for image in range(2):
        for place, box in enumerate(boxes[image]):
            torch.testing.assert_close(grids[image, place], pooled(pixels[image], box, grid))


def test_a_region_of_the_released_code_that_is_one_cell_of_the_map_pools_that_cell_alone() -> None:
    pixels = torch.arange(12.0).view(1, 1, 3, 4)
    grids = RoIMaxPool("C4", 16)({"C4": pixels}, torch.tensor([[[16.0, 16.0, 24.0, 24.0]]]))  # 16..23 in its pixels
    assert (grids == pixels[0, 0, 1, 1]).all()


def test_a_region_of_224_px_is_taken_from_p4_and_twice_that_from_p5() -> None:
    sides = torch.tensor([1.0, 111.9, 112.0, 223.9, 224.0, 447.9, 448.0, 2000.0])
    boxes = torch.stack([torch.zeros_like(sides), torch.zeros_like(sides), sides / 2, 2 * sides], dim=-1)
    assert levels(boxes[None], torch.tensor([4.0, 8.0, 16.0, 32.0])).tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]]
    assert levels(boxes[None], torch.tensor([16.0])).tolist() == [[0] * 8]


def test_a_linear_map_gives_the_positions_of_the_cells() -> None:
    across = torch.arange(8.0).expand(1, 1, 6, 8)
    (grid,) = RoIAlign({"C4": 16}, grid=2)({"C4": across}, torch.tensor([[[32.0, 16.0, 96.0, 80.0]]]))
    assert torch.allclose(grid[0], torch.tensor([[3.0, 5.0], [3.0, 5.0]]))


def test_channels_may_lie_in_memory_either_way_and_bf16_stays_near() -> None:
    maps, boxes = pyramid(), regions()
    expected = RoIAlign(STRIDES)(maps, boxes)
    last = {name: pixels.contiguous(memory_format=torch.channels_last) for name, pixels in maps.items()}
    assert torch.equal(RoIAlign(STRIDES)(last, boxes), expected)
    coarse = RoIAlign(STRIDES)({name: pixels.bfloat16() for name, pixels in last.items()}, boxes)
    assert coarse.dtype is torch.bfloat16
    assert (coarse - expected).abs().max() < 0.03
