"""Anchors: boxes of a few sizes and shapes at every position of a map.

Glossary
    A      anchors of a cell
    cell   the square of pixels that a position of a map stands for; its sides are the map's stride
    cells  (A, 4), the anchors of a cell, x1 y1 x2 y2 in pixels from the cell's left upper corner
    ratio  height / width
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

RATIOS = (0.5, 1.0, 2.0)
"""The shapes that both papers have: wide, square, high."""


def centred_cells(sizes: Sequence[float], ratios: Sequence[float] = RATIOS, *, stride: int) -> Tensor:
    """Anchors about the centre of a cell, each with the area of a square of its size; all sizes of a ratio, then the
    next ratio. (A, 4), A = ratios x sizes.

    Lin et al. 2017, https://arxiv.org/abs/1708.02002, section 4; the paper leaves open where in a cell they lie.
    """
    return _about(stride / 2, stride / 2, _sides(sizes, ratios))


def cornered_cells(sizes: Sequence[int], ratios: Sequence[float] = RATIOS) -> Tensor:
    """Anchors about the left upper corner of a cell, whose edges are rounded to whole pixels: torchvision's. (A, 4).

    Weights that were trained so expect their boxes there, half a cell up and left.
    """
    return _about(0.0, 0.0, _sides(sizes, ratios)).round()


def shaped_cells(shapes: Sequence[tuple[float, float]], *, stride: int) -> Tensor:
    """Anchors about the centre of a cell, of these widths and heights. (A, 4)."""
    return _about(stride / 2, stride / 2, shapes)


def scaled_cells(scales: Sequence[float], ratios: Sequence[float] = RATIOS, *, base: int = 16) -> Tensor:
    """Anchors about the centre of a cell of `base` pixels, multiples of base boxes with whole sides. (A, 4).

    The released Faster R-CNN rounds the sides of the base box of each ratio, halves to even, and only then
    scales: https://arxiv.org/abs/1506.01497, section 3.1.1. Its boxes end in their last pixel; ours behind it.
    """
    bases = []
    for ratio in ratios:
        width = round(math.sqrt(base * base / ratio))
        bases.append((width, round(width * ratio)))
    sides = [(scale * width, scale * height) for width, height in bases for scale in scales]
    return _about(base / 2, base / 2, sides)


def grid(
    cells: Tensor, rows: int, columns: int, *, stride: int | tuple[int, int], device: torch.device | None = None
) -> Tensor:
    """The anchors of every position of a map, float32 (rows * columns * A, 4): row by row, those of a cell together.

    stride  pixels between neighbouring positions, or those between rows and between columns
    """
    down, right = (stride, stride) if isinstance(stride, int) else stride
    tops = torch.arange(rows, device=device, dtype=torch.float32) * down
    lefts = torch.arange(columns, device=device, dtype=torch.float32) * right
    tops, lefts = tops[:, None].expand(rows, columns), lefts.expand(rows, columns)
    corners = torch.stack([lefts, tops, lefts, tops], dim=-1)
    return (corners[:, :, None] + cells.to(corners)).reshape(-1, 4)


class AnchorGrids(NamedTuple):
    """The maps that have anchors, and where the anchors lie on them.

    cells    by the name of its map, the function that gives the anchors of a cell
    strides  pixels between neighbours of each map; None: image side // map side, as torchvision has it, which is often
             more than the map's stride
    """

    cells: Mapping[str, Callable[[], Tensor]]
    strides: Mapping[str, int] | None = None

    def of(
        self, maps: Mapping[str, tuple[int, int]], sides: tuple[int, int], device: torch.device
    ) -> dict[str, Tensor]:
        """The anchors (A of the map, 4) of each map, by the height and width of maps and of the images below them."""
        anchors = {}
        for name, cells in self.cells.items():
            rows, columns = maps[name]
            stride = (sides[0] // rows, sides[1] // columns) if self.strides is None else self.strides[name]
            anchors[name] = grid(cells(), rows, columns, stride=stride, device=device)
        return anchors


def _sides(sizes: Sequence[float], ratios: Sequence[float]) -> list[tuple[float, float]]:
    """Width and height of each anchor."""
    return [(size / math.sqrt(ratio), size * math.sqrt(ratio)) for ratio in ratios for size in sizes]


def _about(x: float, y: float, sides: Sequence[tuple[float, float]]) -> Tensor:
    """Boxes of these widths and heights about a point, float32 (A, 4)."""
    boxes = [(x - width / 2, y - height / 2, x + width / 2, y + height / 2) for width, height in sides]
    return torch.tensor(boxes, dtype=torch.float32)
