"""Matching of anchors, priors or proposals with the true boxes of an image, by intersection over union.

Glossary
    A, M     anchors and true boxes of one image; places among the M that hold no box have the label PADDING
    anchors  (A, 4), x1 y1 x2 y2 in pixels, or priors, or proposals
    crowd    (M,) bool, regions of many objects, from which nothing is learned
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import box_area

from resvision.contracts import fp32_or_more

CELLS_AT_A_TIME = 2**24
"""The most pairs of an anchor and a box whose overlap is held at a time: 64 MiB of float32, a few times over."""

MOSTLY = 0.5
"""The share of an anchor from which it lies mostly in a crowd region."""


class Matches(NamedTuple):
    """The true box of each anchor of one image, and what is learned from the anchor: an object, background or nothing.

    box       (A,) int64, the box of largest overlap; 0 where there is none
    iou       (A,) float32, that overlap; 0 where there is none
    positive  (A,) bool: the anchor is to find its box
    negative  (A,) bool: the anchor is background
    """

    box: Tensor
    iou: Tensor
    positive: Tensor
    negative: Tensor


@torch.no_grad()
def match(
    anchors: Tensor,
    boxes: Tensor,
    labels: Tensor,
    crowd: Tensor,
    *,
    positive: float,
    negative: float,
    lowest_negative: float = 0.0,
    low_quality: bool = False,
) -> Matches:
    """The matches of anchors (A, 4) with boxes (M, 4), labels (M,) and crowd (M,) of one image.

    positive         the overlap from which an anchor is positive
    negative         the overlap below which it is negative; between the two nothing is learned
    lowest_negative  the overlap below which nothing is learned either (Fast R-CNN's 0.1)
    low_quality      whether each box also makes those anchors positive that overlap it most, however little
    """
    is_object = (labels >= 0) & ~crowd
    anchors, boxes = fp32_or_more(anchors), fp32_or_more(boxes)
    best = anchors.new_zeros(len(anchors))
    box = torch.zeros(len(anchors), dtype=torch.int64, device=anchors.device)
    forced = torch.zeros(len(anchors), dtype=torch.bool, device=anchors.device)
    in_crowd = torch.zeros_like(forced)
    areas = box_area(anchors)
    step = max(1, CELLS_AT_A_TIME // max(1, len(anchors)))
    for first in range(0, len(boxes), step):
        some, chosen = boxes[first : first + step], is_object[first : first + step]
        common = _intersections(some, anchors)  # (some, A)
        in_crowd |= ((common > MOSTLY * areas) & (crowd & (labels >= 0))[first : first + step, None]).any(dim=0)
        union = box_area(some)[:, None] + areas - common
        iou = torch.where(chosen[:, None] & (common > 0), common / union, 0.0)
        if low_quality:
            most = iou.amax(dim=1, keepdim=True)
            forced |= ((iou == most) & (most > 0)).any(dim=0)
        highest, index = iou.max(dim=0)
        better = highest > best
        best, box = torch.where(better, highest, best), torch.where(better, first + index, box)
    is_positive = (best >= positive) | forced
    is_negative = (best < negative) & (best >= lowest_negative) & ~is_positive & ~in_crowd
    return Matches(box, best, is_positive, is_negative)


@torch.no_grad()
def largest_overlaps(boxes: Tensor, anchors: Tensor) -> Tensor:
    """The largest intersection over union of each box (M, 4) with any anchor (A, 4), (M,); 0 if there is none."""
    boxes, anchors = fp32_or_more(boxes), fp32_or_more(anchors)
    if not len(anchors):
        return boxes.new_zeros(len(boxes))
    areas = box_area(anchors)
    largest = boxes.new_zeros(len(boxes))
    step = max(1, CELLS_AT_A_TIME // len(anchors))
    for first in range(0, len(boxes), step):
        some = boxes[first : first + step]
        common = _intersections(some, anchors)
        union = box_area(some)[:, None] + areas - common
        largest[first : first + step] = torch.where(common > 0, common / union, 0.0).amax(dim=1)
    return largest


def _intersections(boxes: Tensor, anchors: Tensor) -> Tensor:
    """The area that each box (M, 4) has in common with each anchor (A, 4), (M, A)."""
    left_top = torch.maximum(boxes[:, None, :2], anchors[:, :2])
    right_bottom = torch.minimum(boxes[:, None, 2:], anchors[:, 2:])
    return (right_bottom - left_top).clamp(min=0).prod(dim=2)
