"""The grid of YOLO: its cells, their boxes, and the truth that each cell learns of.

Redmon et al. 2016, https://arxiv.org/abs/1506.02640, section 2. A cell learns of one object. Of two whose centres share
a cell the first is taken, in the order in which the data list them; the released code takes the first of an order that
it draws.

Glossary
    N images, M true boxes of an image at most, K classes
    S           cells along a side of the grid
    B           boxes of a cell
    x, y        centre of a box from the upper left corner of its cell, in cells
    w, h        sides of a box as shares of the image's sides; a net gives their roots
    confidence  of a box: the probability of an object times its overlap with it
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from resvision.detection.detector import TrueBoxes
from resvision.detection.parts.box_coding import about
from resvision.detection.parts.matching import paired_overlaps


class YOLOv1Maps(NamedTuple):
    """The raw maps, rows of the grid first; a net's last layer gives them in this order, as Darknet's does.

    classes      (N, S, S, K), the probability of each class given an object
    confidences  (N, S, S, B)
    boxes        (N, S, S, B, 4), x, y and the roots of w and h
    """

    classes: Tensor
    confidences: Tensor
    boxes: Tensor


class Grid(NamedTuple):
    """The output of the net: its cells, boxes and classes."""

    cells: int
    boxes: int
    num_classes: int

    @property
    def values(self) -> int:
        """The number of values that a net gives for an image: S * S * (K + 5 * B)."""
        return self.cells**2 * (self.num_classes + 5 * self.boxes)

    def maps(self, values: Tensor) -> YOLOv1Maps:
        """The raw maps in the values (N, S * S * (K + 5 * B)) of the last layer."""
        counts = [self.cells**2 * of_each for of_each in (self.num_classes, self.boxes, 4 * self.boxes)]
        classes, confidences, boxes = torch.split(values, counts, dim=1)
        side = (-1, self.cells, self.cells)
        return YOLOv1Maps(
            classes.reshape(*side, self.num_classes),
            confidences.reshape(*side, self.boxes),
            boxes.reshape(*side, self.boxes, 4),
        )


class CellTruth(NamedTuple):
    """The truth of each cell, S * S of them, rows first.

    has_object  (N, S * S) bool
    labels      (N, S * S) int64, of the object; any number where there is none
    boxes       (N, S * S, 4), x, y and the roots of w and h of the object, zeros where there is none
    judged      (N, S * S) bool, False where the cell's centre lies in a crowd
    """

    has_object: Tensor
    labels: Tensor
    boxes: Tensor
    judged: Tensor


def in_image(boxes: Tensor, cells: int) -> Tensor:
    """Centres, widths and heights as shares of the image's sides, of boxes (N, S * S, B, 4) as a net gives them."""
    place = torch.arange(cells * cells, device=boxes.device)
    corner = torch.stack([place % cells, place // cells], dim=1)[:, None]
    return torch.cat([(boxes[..., :2] + corner) / cells, boxes[..., 2:].square()], dim=-1)


def corners(boxes_cxcywh: Tensor) -> Tensor:
    """x1 y1 x2 y2 of boxes (..., 4)."""
    return about(boxes_cxcywh[..., :2], boxes_cxcywh[..., 2:])


def cell_of(boxes: Tensor, cells: int) -> Tensor:
    """The cell of the centre of each box (..., 4), x1 y1 x2 y2 as shares of the image's sides, (...) int64.

    A centre on the far edge of the image belongs to the last cell.
    """
    place = (cells * (boxes[..., :2] + boxes[..., 2:]) / 2).floor().clamp(0, cells - 1).long()
    return place[..., 1] * cells + place[..., 0]


@torch.no_grad()
def cell_truth(targets: TrueBoxes, sides: tuple[int, int], cells: int, *, dtype: torch.dtype) -> CellTruth:
    """The truth of the cells of each image."""
    height, width = sides
    boxes = targets.boxes.to(dtype) / targets.boxes.new_tensor([width, height, width, height])
    cell = cell_of(boxes, cells)
    corner = torch.stack([cell % cells, cell // cells], dim=-1)
    centres = cells * (boxes[..., :2] + boxes[..., 2:]) / 2
    coded = torch.cat([centres - corner, (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).sqrt()], dim=-1)
    is_object = (targets.labels >= 0) & ~targets.crowd
    places = is_object.shape[1]
    # Of objects in one cell the first is taken; other places, and those without an object, come behind all.
    turn = torch.where(is_object, torch.arange(places, device=cell.device), places)
    first = turn.new_full((len(turn), cells * cells), places).scatter_reduce(1, cell, turn, "amin")
    has_object = first < places
    owner = first.clamp(max=places - 1)
    chosen = coded.gather(1, owner[..., None].expand(-1, -1, 4)) * has_object[..., None]
    labels = targets.labels.gather(1, owner).clamp(min=0)
    return CellTruth(has_object, labels, chosen, _judged(boxes, targets.crowd, cells))


@torch.no_grad()
def responsible_boxes(boxes: Tensor, truth: CellTruth, cells: int) -> tuple[Tensor, Tensor]:
    """The boxes (N, S * S, B, 4) that are responsible for the object of their cell.

    Gives flags and overlaps with that object, (N, S * S, B) each.
    """
    found, wanted = in_image(boxes, cells), in_image(truth.boxes[:, :, None], cells)
    overlap = paired_overlaps(corners(found), corners(wanted))
    distance = (found - wanted).square().sum(dim=-1)
    best = torch.where((overlap > 0).any(dim=2), overlap.argmax(dim=2), distance.argmin(dim=2))
    is_best = F.one_hot(best, boxes.shape[2]).bool()
    return is_best & truth.has_object[..., None], overlap


def _judged(boxes: Tensor, crowd: Tensor, cells: int) -> Tensor:
    """Flags (N, S * S) of the cells whose centre lies in no crowd.

    Boxes are (N, M, 4) as shares of the image's sides, crowd is (N, M).
    """
    place = torch.arange(cells * cells, device=boxes.device)
    centre = (torch.stack([place % cells, place // cells], dim=1) + 0.5) / cells
    inside = (centre >= boxes[:, :, None, :2]) & (centre <= boxes[:, :, None, 2:])  # (N, M, S * S, 2)
    return ~(inside.all(dim=3) & crowd[..., None]).any(dim=1)
