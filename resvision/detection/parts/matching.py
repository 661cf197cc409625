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

CELLS_AT_A_TIME = 2**22
"""The most pairs of an anchor and a box whose overlap is held at a time: 16 MiB of float32, a few times over."""

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


@torch.no_grad()
def match_each(anchors: Tensor, boxes: Tensor, labels: Tensor, crowd: Tensor, *, positive: float) -> Matches:
    """The matches of one image by SSD's rule: every box has an anchor of its own, then overlap decides the others.

    Boxes take turns, the pair of largest overlap first, so that two boxes never share an anchor; a box that overlaps no
    anchor that is left has none. Arguments are those of `match`; anchors below `positive` are negative if no box took
    them.
    """
    box, iou, is_positive, is_negative = match(
        anchors, boxes, labels, crowd, positive=positive, negative=positive, lowest_negative=0.0
    )
    taken, of_box, overlap = _one_each(fp32_or_more(anchors), fp32_or_more(boxes), (labels >= 0) & ~crowd)
    box, iou = box.index_put((taken,), of_box), iou.index_put((taken,), overlap)
    owned = torch.zeros_like(is_positive).index_fill(0, taken, True)
    return Matches(box, iou, is_positive | owned, is_negative & ~owned)


def _one_each(anchors: Tensor, boxes: Tensor, is_object: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Anchors, their boxes and overlaps, (P,) each, paired by decreasing overlap where both are still free.

    A pair that is the largest for its box and for its anchor is one that taking turns would find, so that all such
    pairs are taken at once. Of n boxes each finds its anchor among the n that overlap it most.
    """
    objects = is_object.nonzero().flatten()
    iou, anchor = _largest(anchors, boxes[objects], min(len(objects), len(anchors)))
    pairs: list[tuple[Tensor, Tensor, Tensor]] = []
    while bool((iou > 0).any()):
        best, place = iou.max(dim=1)
        choice = anchor.gather(1, place[:, None]).flatten()
        most = iou.new_zeros(len(anchors)).scatter_reduce(0, anchor.flatten(), iou.flatten(), "amax")
        # Of boxes that overlap an anchor alike the first takes it.
        row = torch.arange(len(objects), device=iou.device)
        claims = torch.where((iou > 0) & (iou == most[anchor]), row[:, None], len(objects))
        winner = torch.full_like(most, len(objects), dtype=torch.int64).scatter_reduce(
            0, anchor.flatten(), claims.flatten(), "amin"
        )
        won = (winner[choice] == row) & (best > 0)
        pairs.append((choice[won], objects[won], best[won]))
        gone = torch.zeros_like(most, dtype=torch.bool).index_fill(0, choice[won], True)
        iou = torch.where(gone[anchor] | won[:, None], 0.0, iou)
    if not pairs:
        return objects[:0], objects[:0], iou.new_zeros(0)
    taken, of_box, overlap = (torch.cat(members) for members in zip(*pairs, strict=True))
    return taken, of_box, overlap


def _largest(anchors: Tensor, boxes: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest overlaps of each box (M, 4), (M, count), and the anchors where they are."""
    areas = box_area(anchors)
    step = max(1, CELLS_AT_A_TIME // max(1, len(anchors)))
    overlaps, places = [], []
    for first in range(0, max(1, len(boxes)), step):
        some = boxes[first : first + step]
        common = _intersections(some, anchors)
        iou = torch.where(common > 0, common / (box_area(some)[:, None] + areas - common), 0.0)
        largest, place = iou.topk(count, dim=1)
        overlaps.append(largest)
        places.append(place)
    return torch.cat(overlaps), torch.cat(places)


def _intersections(boxes: Tensor, anchors: Tensor) -> Tensor:
    """The area that each box (M, 4) has in common with each anchor (A, 4), (M, A)."""
    x1, y1, x2, y2 = (side[:, None] for side in boxes.unbind(dim=1))
    left, top, right, bottom = anchors.T.contiguous()  # each one row, over which the CPU runs in one go
    widths = (torch.minimum(x2, right) - torch.maximum(x1, left)).clamp_(min=0)
    return widths.mul_((torch.minimum(y2, bottom) - torch.maximum(y1, top)).clamp_(min=0))
