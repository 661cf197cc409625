"""Greedy suppression of boxes that overlap a better one, in tensor operations alone, so that it exports as one graph.

Glossary
    N images, B candidates and D detections of an image
    boxes   x1 y1 x2 y2, float32 pixels
    groups  classes within which boxes suppress each other: each class for itself, all together, or as a person says
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import nms

from resvision.kinds.detection.suppression import APART_PX, Suppression


class Predictions(NamedTuple):
    """The detections of each image, the highest score first; zeros behind the first `counts`.

    boxes   (N, D, 4) float32
    scores  (N, D) float32, 0..1
    labels  (N, D) int64
    counts  (N,) int64
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    counts: Tensor


def suppress(boxes: Tensor, scores: Tensor, labels: Tensor, suppression: Suppression) -> Predictions:
    """The detections among candidates (N, B, 4), (N, B), (N, B), by greedy suppression within each group."""
    images = [_suppressed(*image, suppression) for image in zip(boxes, scores, labels, strict=True)]
    return Predictions(*(torch.stack(members) for members in zip(*images, strict=True)))


FIRST = 1000
"""The number of boxes, the best ones, among which suppression may already find all that are asked for."""

GROWTH = 3
"""The factor by which that number grows where it did not."""


def kept(
    boxes: Tensor, scores: Tensor, groups: Tensor, *, iou: float, least: float = 0.0, most: int | None = None
) -> Tensor:
    """Flags of the boxes (B, 4) that greedy suppression keeps, (B,) bool.

    A box is kept whose score (B,) is above `least`, and that no better box of its group which is kept overlaps by more
    than `iou`.

    most  the number of the best kept boxes that are asked for; of others, some or all are given as not kept. None asks
          for all
    """
    count = len(boxes)
    if boxes.is_meta:  # only shapes are asked for, and that of `nonzero` does not follow from its input's
        return torch.empty(count, dtype=torch.bool, device="meta")
    apart = boxes.double() + APART_PX * groups.double()[:, None]  # in float64 the overlaps stay what they were
    if most is None or count <= 2 * FIRST:
        return _greedy(apart, scores, scores > least, iou=iou)
    # Greedy suppression never looks at worse boxes to decide on a better one, and what is found to be kept stays so:
    # a part with the best scores gives the best of all, and boxes that it suppresses need not be looked at again.
    order = scores.argsort(descending=True, stable=True)
    apart, scores = apart[order], scores[order]
    place = torch.arange(count, device=boxes.device)
    flags = torch.zeros(count, dtype=torch.bool, device=boxes.device)
    first, last = 0, FIRST
    while first < count:
        missing = flags.sum() < most
        judged = (flags | ((place >= first) & (place < last) & (scores > least))) & missing
        flags = torch.where(missing, _greedy(apart, scores, judged, iou=iou), flags)
        first, last = last, GROWTH * last
    return torch.zeros_like(flags).index_put((order,), flags)


def _greedy(boxes: Tensor, scores: Tensor, judged: Tensor, *, iou: float) -> Tensor:
    """Whether each box (B, 4) is kept among those that are `judged` (B,), (B,) bool; the others cost no time."""
    count, places = len(boxes), judged.nonzero().flatten()
    # torch.export takes it that suppression keeps two boxes or more: two that overlap nothing are always kept.
    far = boxes.new_tensor([[-2.0, -2.0, -1.0, -1.0], [-4.0, -4.0, -3.0, -3.0]]) * APART_PX
    with_far = torch.cat([places, torch.arange(count, count + 2, device=boxes.device)])
    best_first = nms(torch.cat([boxes[places], far]), torch.cat([scores.double()[places], far[:, 0]]), iou)
    flags = torch.zeros(count + 2, dtype=torch.bool, device=boxes.device)
    return flags.index_fill(0, with_far[best_first], True)[:count]


def _suppressed(
    boxes: Tensor, scores: Tensor, labels: Tensor, suppression: Suppression
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The detections of one image, padded, and their number."""
    groups = labels if suppression.groups is None else labels.new_tensor(suppression.groups)[labels]
    keep = kept(boxes, scores, groups, iou=suppression.iou, least=suppression.score, most=suppression.most)
    count = min(suppression.most, len(boxes))
    best, order = torch.where(keep, scores, -1.0).topk(count)
    found = best >= 0
    padding = suppression.most - count
    return (
        functional.pad(boxes[order] * found[:, None], (0, 0, 0, padding)),
        functional.pad(best.clamp(min=0), (0, padding)),
        functional.pad(labels[order] * found, (0, padding)),
        found.sum(),
    )
