"""Cells: the places of a map that YOLOv2 and YOLOv3 tell boxes from, several anchors at each.

Redmon and Farhadi 2016, https://arxiv.org/abs/1612.08242, section 2, figure 3: from the cell whose left upper corner is
(c_x, c_y), in strides of its map, and an anchor of width p_w and height p_h,

    b_x = sigmoid(t_x) + c_x,  b_y = sigmoid(t_y) + c_y,  b_w = p_w exp(t_w),  b_h = p_h exp(t_h).

Glossary
    N images, M boxes of an image, S shapes of anchors of all maps
    A         places of an image: map by map, each row by row, the anchors of a cell together
    anchors   (A, 4), x1 y1 x2 y2 in pixels, about the centres of their cells
    raw       (..., A, 4), t_x t_y t_w t_h
    shapes    width and height of anchors in pixels
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from resvision.contracts import fp32_or_more
from resvision.detection.parts.anchor_shapes import Shape, shape_overlaps
from resvision.detection.parts.anchors import grid, shaped_cells
from resvision.detection.parts.box_coding import about, centres_and_sides, grown, growths

Sizes = Mapping[str, tuple[int, int]]
"""Rows and columns of each map, by its name."""


class Cells(NamedTuple):
    """The places of an image, and the way from raw numbers to boxes and back.

    anchors  (A, 4)
    strides  (A, 1), the side of the cell of each place in pixels
    """

    anchors: Tensor
    strides: Tensor

    def decode(self, raw: Tensor) -> Tensor:
        """The boxes (..., A, 4) of raw numbers in float32; not clipped. Raw zeros give the anchors."""
        raw = fp32_or_more(raw)
        centres, sides = centres_and_sides(self.anchors)
        centres = centres + (raw[..., :2].sigmoid() - 0.5) * self.strides
        # Darknet lets sides grow without limit; a box that is cut off at the image's edges loses nothing by this one.
        return about(centres, grown(sides, raw[..., 2:]))

    def encode(self, boxes: Tensor) -> Tensor:
        """The places of boxes' centres in their cells, 0..1, and the logarithms of their growth, (A, 4), float32.

        boxes  (A, 4), one for each place; `at` gives the places for fewer
        """
        centres, sides = centres_and_sides(fp32_or_more(boxes))
        anchor_centres, anchor_sides = centres_and_sides(self.anchors)
        shifts = (centres - anchor_centres) / self.strides + 0.5
        return torch.cat([shifts.clamp(0, 1), growths(sides, anchor_sides)], dim=-1)

    def at(self, places: Tensor) -> "Cells":
        """The cells at some of the places."""
        return Cells(self.anchors[places], self.strides[places])


class CellGrids(NamedTuple):
    """The maps whose cells tell boxes, by name in the order of the net's results.

    shapes   of the anchors of each cell of a map
    strides  pixels between neighbours of a map
    """

    shapes: Mapping[str, Sequence[Shape]]
    strides: Mapping[str, int]

    def anchors(self, sizes: Sizes, device: torch.device) -> dict[str, Tensor]:
        """The anchors (A of the map, 4) of each map, for the sizes of the maps."""
        anchors = {}
        for name, shapes in self.shapes.items():
            cell, stride = shaped_cells(shapes, stride=self.strides[name]), self.strides[name]
            anchors[name] = grid(cell, *sizes[name], stride=stride, device=device)
        return anchors

    def cells(self, sizes: Sizes, device: torch.device) -> Cells:
        """The cells of all maps."""
        anchors = self.anchors(sizes, device)
        strides = [torch.full((len(some), 1), float(self.strides[name])) for name, some in anchors.items()]
        return Cells(torch.cat([*anchors.values()]), torch.cat(strides).to(device))

    def places(self, boxes: Tensor, sizes: Sizes) -> Tensor:
        """The place that is to find each box (N, M, 4), (N, M) int64.

        It lies in the cell of the box's centre, at the anchor of all maps whose shape overlaps that of the box most,
        the first of those that overlap it alike.
        """
        boxes = fp32_or_more(boxes)
        centres, sides = centres_and_sides(boxes)
        rows = [row for name in self.shapes for row in self._rows(name, sizes)]
        table = torch.tensor(_with_first_places(rows), dtype=torch.int64, device=boxes.device)
        shapes = boxes.new_tensor([shape for some in self.shapes.values() for shape in some])
        stride, height, width, position, count, first = table[shape_overlaps(sides, shapes).argmax(dim=-1)].unbind(-1)
        column, row = (centres / stride[..., None]).floor().long().unbind(-1)
        # The centre of a box that is cut off at the far edge may lie on that edge, behind the last cell.
        cell = torch.minimum(row.clamp(min=0), height - 1) * width + torch.minimum(column.clamp(min=0), width - 1)
        return first + cell * count + position

    def _rows(self, name: str, sizes: Sizes) -> list[tuple[int, ...]]:
        """Of each shape of a map: its stride, rows and columns, the shape's place in a cell, and the shapes there."""
        count = len(self.shapes[name])
        return [(self.strides[name], *sizes[name], position, count) for position in range(count)]


def _with_first_places(rows: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The rows of `_rows` of all maps, each with the first place of its map behind."""
    extended: list[tuple[int, ...]] = []
    first = 0
    for stride, height, width, position, count in rows:
        extended.append((stride, height, width, position, count, first))
        if position == count - 1:
            first += height * width * count
    return extended
