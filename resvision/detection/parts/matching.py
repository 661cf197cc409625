"""Matching of anchors, priors or proposals with the true boxes of an image, by intersection over union.

Glossary
    A, M     anchors and true boxes of one image; places among the M that hold no box have the label PADDING
    anchors  (A, 4), x1 y1 x2 y2 in pixels, or priors, or proposals
    crowd    (M,) bool, regions of many objects, from which nothing is learned
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import box_area

from resvision.contracts import fp32_or_more

CELLS_AT_A_TIME = 2**22
"""The most pairs of an anchor and a box whose overlap is held at a time: 16 MiB of float32, a few times over."""

MOSTLY = 0.5
"""The share of an anchor from which it lies mostly in a crowd region."""


class Matches(NamedTuple):
    """The true box of each anchor of one image, and what is learned from the anchor: an object, background or nothing.

    `stacked`, members have N images first.

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
    lowest_negative  the overlap below which nothing is learned either (Fast R-CNN's 0.1), but in an image without
                     objects, which no anchor overlaps
    low_quality      whether each box also makes those anchors positive that overlap it most, however little
    """
    is_object, is_crowd = (labels >= 0) & ~crowd, (labels >= 0) & crowd
    anchors, boxes = _of_one_type(anchors, boxes)
    best = anchors.new_zeros(len(anchors))
    box = torch.zeros(len(anchors), dtype=torch.int64, device=anchors.device)
    forced = torch.zeros(len(anchors), dtype=torch.bool, device=anchors.device)
    most_in_crowd = torch.zeros_like(best)
    for first, common, iou in _overlaps(boxes, anchors):
        some = slice(first, first + len(iou))
        iou *= is_object[some, None]
        most_in_crowd = torch.maximum(most_in_crowd, (common * is_crowd[some, None]).amax(dim=0))
        if low_quality:
            most = iou.amax(dim=1, keepdim=True)
            forced |= ((iou == most) & (most > 0)).any(dim=0)
        highest, index = iou.max(dim=0)
        better = highest > best
        best, box = torch.where(better, highest, best), torch.where(better, first + index, box)
    in_crowd = most_in_crowd > MOSTLY * box_area(anchors)
    is_positive = (best >= positive) | forced
    near_enough = (best >= lowest_negative) | ~is_object.any()
    is_negative = (best < negative) & near_enough & ~is_positive & ~in_crowd
    return Matches(box, best, is_positive, is_negative)


def stacked(matches: Iterable[Matches]) -> Matches:
    """The matches of the images of a batch as one, each member (N, A)."""
    return Matches(*(torch.stack(members) for members in zip(*matches, strict=True)))


def classes_of(matches: Matches, labels: Tensor) -> Tensor:
    """The class that each anchor of a batch is to find, (N, A), of the labels (N, M) of its images; -1 for none."""
    labels = F.pad(labels, (0, 1), value=-1)  # there is a label to take, also where no image has a box
    return torch.where(matches.positive, labels.gather(1, matches.box), -1)


def positives(matches: Matches) -> Tensor:
    """The number of positive anchors of each image of a batch, (N,); 1 for an image without any."""
    return matches.positive.sum(dim=1).clamp(min=1)


@torch.no_grad()
def largest_overlaps(boxes: Tensor, anchors: Tensor) -> Tensor:
    """The largest intersection over union of each box (M, 4) with any anchor (A, 4), (M,); 0 if there is none."""
    anchors, boxes = _of_one_type(anchors, boxes)
    return _best_anchors(boxes, anchors)[0]


def paired_overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """Intersection over union of each box (..., 4) with the other at its place (..., 4), (...); 0 for no area."""
    boxes, others = fp32_or_more(boxes), fp32_or_more(others)
    near, far = torch.maximum(boxes[..., :2], others[..., :2]), torch.minimum(boxes[..., 2:], others[..., 2:])
    common = (far - near).clamp(min=0).prod(dim=-1)
    areas = [(some[..., 2:] - some[..., :2]).clamp(min=0).prod(dim=-1) for some in (boxes, others)]
    return common / (areas[0] + areas[1] - common).clamp(min=torch.finfo(common.dtype).tiny)


@torch.no_grad()
def match_each(anchors: Tensor, boxes: Tensor, labels: Tensor, crowd: Tensor, *, positive: float) -> Matches:
    """The matches of one image by SSD's rule: every box has an anchor of its own, then overlap decides the others.

    Boxes take turns, the pair of largest overlap first, so that two boxes never share an anchor; a box that overlaps no
    anchor that is left has none. Arguments are those of `match`; anchors below `positive` are negative if no box took
    them.
    """
    anchors, boxes = _of_one_type(anchors, boxes)
    box, iou, is_positive, is_negative = match(anchors, boxes, labels, crowd, positive=positive, negative=positive)
    objects = ((labels >= 0) & ~crowd).nonzero().flatten()
    own, overlap = _taking_turns(anchors, boxes[objects])
    has_own = own >= 0
    place, owner = own[has_own], objects[has_own]
    owned = torch.zeros_like(is_positive).index_fill(0, place, True)
    box, iou = box.index_put((place,), owner), iou.index_put((place,), overlap[has_own])
    return Matches(box, iou, is_positive | owned, is_negative & ~owned)


def _of_one_type(anchors: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Both in float32, or in float64 where either is."""
    both = torch.promote_types(fp32_or_more(anchors).dtype, fp32_or_more(boxes).dtype)
    return anchors.to(both), boxes.to(both)


def _taking_turns(anchors: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """The anchor (A, 4) of each box (M, 4), (M,), -1 where none is left that overlaps it, and their overlaps, (M,).

    A pair whose overlap is the largest of its box and of its anchor is one that taking turns would find, so that all
    such pairs are taken at once, and the boxes that are left look at the anchors that are left.
    """
    own = torch.full((len(boxes),), -1, dtype=torch.int64, device=boxes.device)
    overlap = boxes.new_zeros(len(boxes))
    free = torch.ones(len(anchors), dtype=torch.bool, device=anchors.device)
    left = torch.arange(len(boxes), device=boxes.device)
    while len(left):
        best, choice = _best_anchors(boxes[left], anchors, free)
        left, best, choice = left[best > 0], best[best > 0], choice[best > 0]
        if not len(left):
            break
        rivals = _iou(boxes[left], anchors[choice])[1]  # of each box with the choice of each
        row = torch.arange(len(left), device=left.device)
        # Of boxes that overlap an anchor alike the first takes it.
        winner = torch.where(rivals == rivals.amax(dim=0), row[:, None], len(left)).amin(dim=0)
        won = winner == row
        own[left[won]], overlap[left[won]] = choice[won], best[won]
        free[choice[won]] = False
        left = left[~won]
    return own, overlap


def _best_anchors(boxes: Tensor, anchors: Tensor, free: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The largest overlap of each box (M, 4) with any anchor, or any that is `free` (A,), and its index, (M,) each."""
    best, choice = boxes.new_zeros(len(boxes)), torch.zeros(len(boxes), dtype=torch.int64, device=boxes.device)
    if not len(anchors):
        return best, choice
    for first, _, iou in _overlaps(boxes, anchors):
        some = slice(first, first + len(iou))
        best[some], choice[some] = (iou if free is None else iou.mul_(free)).max(dim=1)
    return best, choice


def _overlaps(boxes: Tensor, anchors: Tensor) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Yield the place of the first of some boxes, and common areas and overlaps of these with anchors, (some, A)."""
    step = max(1, CELLS_AT_A_TIME // max(1, len(anchors)))
    for first in range(0, len(boxes), step):
        yield first, *_iou(boxes[first : first + step], anchors)


def _iou(boxes: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor]:
    """The area that each box (M, 4) has in common with each anchor (A, 4), and their overlap, (M, A) each."""
    # By edge, so that all arithmetic is over neighbours in memory, which takes a tenth of the time.
    left, top, right, bottom = boxes.T[:, :, None]
    of_anchors = anchors.T.contiguous()
    width = torch.minimum(right, of_anchors[2]).sub_(torch.maximum(left, of_anchors[0])).clamp_(min=0)
    height = torch.minimum(bottom, of_anchors[3]).sub_(torch.maximum(top, of_anchors[1])).clamp_(min=0)
    common = width.mul_(height)
    union = box_area(boxes)[:, None] + box_area(anchors) - common
    return common, common / union.clamp_(min=torch.finfo(union.dtype).tiny)
