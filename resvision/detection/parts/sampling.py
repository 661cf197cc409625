"""Random samples of anchors or proposals, at a stated share of positives, from which a step learns.

Shapes are fixed: a place of a sample for which nothing is left is marked as not counted. Draws are torch's, which the
loop seeds by step and process, so that a step draws the same whenever it is made.

Glossary
    N, M  images, true boxes of each at most
    A     anchors or proposals of an image
    S     places of its sample: `count`, or A where that is less
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from resvision.detection.parts.matching import match


@dataclass(frozen=True, kw_only=True)
class SamplingRules:
    """The rules that make anchors or proposals positive or negative, and draw some of both in an image.

    count            the most that are drawn
    positive_share   the most positives among them, 0..1; negatives fill the rest
    positive         the overlap with a true box from which one is positive
    negative         the overlap below which one is negative; between the two nothing is learned
    lowest_negative  the overlap below which nothing is learned either (Fast R-CNN's 0.1), but in an image without
                     objects
    low_quality      whether each true box also makes those positive that overlap it most, however little
    """

    count: int
    positive_share: float
    positive: float
    negative: float
    lowest_negative: float = 0.0
    low_quality: bool = False

    @property
    def most_positives(self) -> int:
        """The most positives of an image."""
        return int(self.count * self.positive_share)


class Sample(NamedTuple):
    """The drawn anchors or proposals of one image, positives first.

    places    (S,) int64, among the A
    positive  (S,) bool
    counted   (S,) bool: False where nothing was left to draw
    """

    places: Tensor
    positive: Tensor
    counted: Tensor


@torch.no_grad()
def sample(positive: Tensor, negative: Tensor, draws: Tensor, rules: SamplingRules) -> Sample:
    """A sample of the positives (A,) and negatives (A,) of one image, both bool, those of the greatest draws, 0..1.

    Where positives are few, negatives take their places; where negatives are few, places stay empty.
    """
    chosen = torch.zeros_like(positive)
    best, places = torch.where(positive, draws, -1.0).topk(min(rules.most_positives, len(positive)))
    chosen[places] = best >= 0
    priority = torch.where(chosen, 1 + draws, torch.where(negative, draws, -1.0))
    best, places = priority.topk(min(rules.count, len(positive)))
    return Sample(places, chosen[places], best >= 0)


class Drawn(NamedTuple):
    """The anchors or proposals that a step learns from in each image, with their true boxes.

    places      (N, S) int64, among the A
    references  (N, S, 4), the drawn anchors or proposals
    boxes       (N, S, 4), the true box of each, meaningless where it is not positive
    labels      (N, S) int64, 0 for background, or else 1 + the label of the true box
    counted     (N, S) bool: False where nothing was left to draw
    """

    places: Tensor
    references: Tensor
    boxes: Tensor
    labels: Tensor
    counted: Tensor


@torch.no_grad()
def draw(
    references: Tensor, usable: Tensor, boxes: Tensor, labels: Tensor, crowd: Tensor, rules: SamplingRules
) -> Drawn:
    """A sample of the references of each image, matched with its true boxes.

    references  (N, A, 4), x1 y1 x2 y2 in pixels
    usable      (N, A) bool: nothing is learned from the others, and no true box takes one of them for its best
    boxes, labels, crowd  (N, M, 4), (N, M), (N, M), the targets of the batch
    """
    one_more = (0, 1)  # a place that holds no box, so that there is one to index
    boxes, labels, crowd = F.pad(boxes, (0, 0, *one_more)), F.pad(labels, one_more, value=-1), F.pad(crowd, one_more)
    matched = torch.where(usable[..., None], references, 0.0)  # a box without area overlaps nothing
    images, places = usable.shape
    # Images last, so that more places at the end change none of the draws before them.
    draws = torch.rand(places, images, device=references.device).T
    drawn = [
        _of_image(references[image], matched[image], usable[image], draws[image], truth=truth, rules=rules)
        for image, truth in enumerate(zip(boxes, labels, crowd, strict=True))
    ]
    return Drawn(*(torch.stack(members) for members in zip(*drawn, strict=True)))


class DrawnTogether(NamedTuple):
    """The windows that a step learns from, drawn from all images of a batch together; W of them.

    image       (W,) int64
    references  (W, 4)
    labels      (W,) int64, 0 for background, or else 1 + the label of the true box
    counted     (W,) bool: False where nothing was left to draw
    """

    image: Tensor
    references: Tensor
    labels: Tensor
    counted: Tensor


@torch.no_grad()
def draw_together(
    references: Tensor, usable: Tensor, boxes: Tensor, labels: Tensor, crowd: Tensor, rules: SamplingRules
) -> DrawnTogether:
    """A sample of the references of all images, each matched with the true boxes of its own; arguments are `draw`'s.

    `rules.count` is that of the batch, so that one image makes up for another with few objects.
    """
    each = draw(references, usable, boxes, labels, crowd, replace(rules, count=references.shape[1], positive_share=1.0))
    drawable = each.counted.flatten()
    positive = (each.labels.flatten() > 0) & drawable
    # Images last, as in `draw`.
    draws = torch.rand(references.shape[1], len(references), device=references.device).T.flatten()
    places, positive, counted = sample(positive, drawable & ~positive, draws, rules)
    image = torch.arange(len(references), device=references.device).repeat_interleave(each.places.shape[1])
    flat = each.references.flatten(0, 1)
    return DrawnTogether(image[places], flat[places], torch.where(counted, each.labels.flatten()[places], 0), counted)


def _of_image(
    references: Tensor,
    matched: Tensor,
    usable: Tensor,
    draws: Tensor,
    *,
    truth: tuple[Tensor, Tensor, Tensor],
    rules: SamplingRules,
) -> Drawn:
    boxes, labels, crowd = truth
    matches = match(
        matched,
        boxes,
        labels,
        crowd,
        positive=rules.positive,
        negative=rules.negative,
        lowest_negative=rules.lowest_negative,
        low_quality=rules.low_quality,
    )
    places, positive, counted = sample(matches.positive & usable, matches.negative & usable, draws, rules)
    box = matches.box[places]
    return Drawn(places, references[places], boxes[box], torch.where(positive, 1 + labels[box], 0), counted)


def with_true_boxes(
    proposals: Tensor, valid: Tensor, boxes: Tensor, labels: Tensor, crowd: Tensor
) -> tuple[Tensor, Tensor]:
    """The proposals (N, P, 4) and behind them the true boxes (N, M, 4), which are regions too: as `draw` takes them.

    The second result, (N, P + M) bool, is False where there is no proposal, no box, or a crowd.
    """
    return torch.cat([proposals, boxes], dim=1), torch.cat([valid, (labels >= 0) & ~crowd], dim=1)


def at(values: Tensor, places: Tensor) -> Tensor:
    """The values (N, S, V) of (N, A, V) at places (N, S)."""
    return values.gather(1, places[..., None].expand(-1, -1, values.shape[-1]))
