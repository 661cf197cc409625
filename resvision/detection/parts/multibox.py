"""MultiBox: boxes and classes from several maps at once, in one pass: Liu et al. 2016, https://arxiv.org/abs/1512.02325.

Heads on each map, the loss over matches and hard negatives (section 2.2), and the candidates for suppression.
`references` are the boxes from which offsets are counted: priors, anchors, or anchors that were refined for each image.

Glossary
    N images, C classes, the background first, M true boxes of an image at most
    A           references of an image, of all maps together, the finest map first, row by row
    a           references at a position of one map
    logits      of the C classes of each reference
    deltas      offsets of a box from each reference
    references  (A, 4), or (N, A, 4) where each image has its own, x1 y1 x2 y2 in pixels
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.contracts import fp32_or_more
from resvision.detection.parts.box_coding import BoxCoding
from resvision.detection.parts.hard_negatives import hardest
from resvision.detection.parts.matching import Matches, classes_of, match_each, positives, stacked
from resvision.detection.parts.subnets import per_anchor

CODING = BoxCoding(10.0, 10.0, 5.0, 5.0)
"""One over the paper's variances, .1 of centres and .2 of sides."""

OVERLAP = 0.5
"""The overlap from which a reference is to find a box."""


class MultiBoxValues(NamedTuple):
    """The numbers of every reference.

    logits  (N, A, C)
    deltas  (N, A, 4)
    """

    logits: Tensor
    deltas: Tensor


class MultiBoxMaps(NamedTuple):
    """The logits and deltas, by map, the finest first.

    logits  (N, a * C, h, w)
    deltas  (N, a * 4, h, w)
    """

    logits: tuple[Tensor, ...]
    deltas: tuple[Tensor, ...]

    @property
    def sides(self) -> list[tuple[int, int]]:
        """Height and width of each map."""
        return [(deltas.shape[2], deltas.shape[3]) for deltas in self.deltas]

    def values(self, num_logits: int) -> MultiBoxValues:
        """The numbers of the references of all maps in order; `num_logits` is C."""
        logits, deltas = (
            torch.cat([per_anchor(level, of_each) for level in maps], dim=1)
            for maps, of_each in ((self.logits, num_logits), (self.deltas, 4))
        )
        return MultiBoxValues(logits, deltas)


class MultiBoxSums(NamedTuple):
    """The loss of a batch, as sums.

    classes  cross-entropy of references with an object and of hard negatives
    boxes    smooth L1 of the deltas of references with an object
    weight   references with an object; an image without any counts 1
    objects  references with an object
    wrong    those of them that are given another class
    """

    classes: Tensor
    boxes: Tensor
    weight: Tensor
    objects: Tensor
    wrong: Tensor


class MapHeads(nn.Module):
    """A 3x3 convolution on each map, which gives `of_each` numbers for each reference.

    Weights start small, where the paper draws them by Glorot's rule: a new net is then unsure of every class and box,
    and finds digits in scenes with half as many steps.
    """

    def __init__(self, channels: Sequence[int], references: Sequence[int], of_each: int) -> None:
        super().__init__()
        self.module_list = nn.ModuleList(
            nn.Conv2d(channels_of_map, count * of_each, 3, padding=1)
            for channels_of_map, count in zip(channels, references, strict=True)
        )
        for layer in self.module_list:
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The numbers at each position, (N, a * of_each, h, w), by map."""
        return tuple(layer(x) for layer, x in zip(self.module_list, maps, strict=True))


class MultiBoxHead(nn.Module):
    """Logits and deltas of the references of every map.

    references  the number at a position, by map
    num_logits  C
    """

    def __init__(self, channels: Sequence[int], references: Sequence[int], *, num_logits: int) -> None:
        super().__init__()
        self.classification_head = MapHeads(channels, references, num_logits)
        self.regression_head = MapHeads(channels, references, 4)

    def forward(self, maps: Sequence[Tensor]) -> MultiBoxMaps:
        """The raw maps."""
        return MultiBoxMaps(self.classification_head(maps), self.regression_head(maps))


def multibox_matches(references: Tensor, boxes: Tensor, labels: Tensor, crowd: Tensor) -> Matches:
    """The matches (N, A) of references with boxes (N, M, 4), labels (N, M) and crowd (N, M): each box has its own."""
    of_images = references.expand(len(boxes), -1, -1)
    return stacked(match_each(*image, positive=OVERLAP) for image in zip(of_images, boxes, labels, crowd, strict=True))


def multibox_sums(
    predicted: MultiBoxValues, references: Tensor, matches: Matches, boxes: Tensor, labels: Tensor, *, negatives: int
) -> MultiBoxSums:
    """The loss of a batch with boxes (N, M, 4) and labels (N, M), 0..C-2.

    negatives  of an image that are learned from for each match, those of greatest loss among `matches.negative`
    """
    logits, deltas = predicted
    classes = classes_of(matches, labels) + 1  # the background comes first
    learned = matches.positive | hard_negatives(logits.detach(), matches, negatives)
    class_loss = F.cross_entropy(fp32_or_more(logits[learned]), classes[learned], reduction="sum")
    image, place = matches.positive.nonzero(as_tuple=True)
    of_match = references.expand(len(boxes), -1, -1)[image, place]
    encoded = CODING.encode(boxes[image, matches.box[image, place]], of_match)
    box_loss = F.smooth_l1_loss(fp32_or_more(deltas[image, place]), encoded, reduction="sum")
    wrong = logits.detach()[image, place].argmax(dim=1) != classes[image, place]
    return MultiBoxSums(class_loss, box_loss, positives(matches).sum(), matches.positive.sum(), wrong.sum())


def hard_negatives(logits: Tensor, matches: Matches, negatives: int) -> Tensor:
    """Flags (N, A) of the negative references that are learned from: those of an image whose loss is greatest."""
    loss = fp32_or_more(logits).logsumexp(dim=2) - fp32_or_more(logits[:, :, 0])
    return hardest(loss, matches.negative, negatives * positives(matches))


def best_of_each_class(boxes: Tensor, probabilities: Tensor, *, most: int) -> tuple[Tensor, Tensor, Tensor]:
    """The `most` boxes of highest probability of each class but the background, or all where there are fewer.

    Boxes (N, A, 4) and probabilities (N, A, C) give boxes (N, B, 4), scores (N, B) and labels (N, B), 0..C-2, class by
    class.
    """
    by_class = probabilities[:, :, 1:].transpose(1, 2)  # (N, C - 1, A)
    count = min(most, by_class.shape[2])
    scores, places = by_class.topk(count, dim=2)
    labels = torch.arange(by_class.shape[1], device=scores.device).repeat_interleave(count)
    chosen = boxes.gather(1, places.flatten(1)[:, :, None].expand(-1, -1, 4))
    return chosen, scores.flatten(1), labels.expand(boxes.shape[0], -1)
