"""The region proposal network: boxes that may hold an object, of whatever class.

Ren et al. 2015, https://arxiv.org/abs/1506.01497, section 3; over a pyramid one head serves all maps (Lin et al. 2017,
https://arxiv.org/abs/1612.03144, section 4.1). The number of proposals is fixed, so that what follows has one shape.

Glossary
    N, P     images, proposals of each
    A, a     anchors of all maps in order, and at each position of a map
    anchors  by the name of their map, (A of the map, 4), x1 y1 x2 y2 in pixels, position by position
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from resvision.contracts import fp32_or_more
from resvision.detection.parts.box_coding import BoxCoding, clip
from resvision.detection.parts.suppression import kept

ANCHOR_CODING = BoxCoding()
"""Offsets from anchors have no weights."""

NOTHING = float("-inf")
"""The score of a place that holds no proposal."""


@dataclass(frozen=True, kw_only=True)
class ProposalRules:
    """The rules by which boxes become proposals.

    before       the most of each map that are looked at, those of highest score
    after        the number of proposals, of all maps together
    smallest_px  boxes with a shorter side are left out
    iou          one that overlaps a better one of its map by more is left out
    """

    before: int
    after: int
    smallest_px: float
    iou: float = 0.7


class AnchorMaps(NamedTuple):
    """The raw maps of the proposal head: a score and offsets for each anchor.

    objectness  (N, A) logits
    deltas      (N, A, 4), offsets from the anchors
    """

    objectness: Tensor
    deltas: Tensor


class Proposals(NamedTuple):
    """The proposals of each image, the highest score first.

    boxes  (N, P, 4) float32, clipped to the image; zeros where there is none
    valid  (N, P) bool: False where there is none
    """

    boxes: Tensor
    valid: Tensor


class ProposalHead(nn.Module):
    """A 3x3 convolution, then for each of a position's anchors its objectness and four offsets.

    logits  of an anchor: 1, or 2 as in the paper, background and object, whose difference is the objectness
    """

    def __init__(self, in_channels: int, anchors: int, *, channels: int, logits: int = 1) -> None:
        super().__init__()
        self.anchors = anchors
        conv = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.conv = nn.Sequential(nn.Sequential(conv, nn.ReLU(inplace=True)))  # named as in torchvision
        self.cls_logits = nn.Conv2d(channels, logits * anchors, 1)
        self.bbox_pred = nn.Conv2d(channels, 4 * anchors, 1)
        for layer in (conv, self.cls_logits, self.bbox_pred):
            initialize(layer, std=0.01)

    def forward(self, maps: Sequence[Tensor]) -> AnchorMaps:
        """Objectness and deltas of the anchors of all maps (N, C, H, W), map after map."""
        objectness, deltas = [], []
        for pixels in maps:
            hidden = self.conv(pixels)
            logits = by_anchor(self.cls_logits(hidden), self.anchors)
            objectness.append(logits[..., -1] - logits[..., 0] if logits.shape[-1] == 2 else logits[..., 0])
            deltas.append(by_anchor(self.bbox_pred(hidden), self.anchors, last=True))
        return AnchorMaps(torch.cat(objectness, dim=1), torch.cat(deltas, dim=1))


class RegionProposalNetwork(nn.Module):
    """The head, under the name that torchvision gives it."""

    def __init__(self, head: ProposalHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, maps: Sequence[Tensor]) -> AnchorMaps:
        """Objectness and deltas of the anchors of all maps (N, C, H, W), map after map."""
        anchor_maps: AnchorMaps = self.head(maps)
        return anchor_maps


def by_anchor(values: Tensor, anchors: int, *, last: bool = False) -> Tensor:
    """A map (N, a * V, H, W) as V values of each anchor, (N, H * W * a, V).

    last  the values of an anchor are neighbours among the channels; otherwise those of one value are, as Caffe has the
          logits
    """
    images, channels, height, width = values.shape
    apart = (anchors, channels // anchors) if last else (channels // anchors, anchors)
    grid = values.permute(0, 2, 3, 1).reshape(images, height * width, *apart)
    return (grid if last else grid.transpose(2, 3)).flatten(1, 2)


def propose(maps: AnchorMaps, anchors: Mapping[str, Tensor], sides: tuple[int, int], rules: ProposalRules) -> Proposals:
    """The proposals of images with these sides, height and width; no gradient goes through them.

    Their number is `rules.after`, or that of all that are looked at where it is less.
    """
    boxes, scores = [], []
    lengths = [len(some) for some in anchors.values()]
    of_maps = zip(
        torch.split(maps.objectness.detach(), lengths, dim=1),
        torch.split(maps.deltas.detach(), lengths, dim=1),
        anchors.values(),
        strict=True,
    )
    for objectness, deltas, some in of_maps:
        best, index = fp32_or_more(objectness).topk(min(rules.before, len(some)), dim=1)
        deltas = deltas.gather(1, index[..., None].expand(-1, -1, 4))
        candidates = clip(ANCHOR_CODING.decode(deltas, some[index]), sides)
        boxes.append(candidates)
        scores.append(_unsuppressed(candidates, best, rules))
    scores_of_all = torch.cat(scores, dim=1)
    best, index = scores_of_all.topk(min(rules.after, scores_of_all.shape[1]), dim=1)
    valid = best > NOTHING
    chosen = torch.cat(boxes, dim=1).gather(1, index[..., None].expand(-1, -1, 4))
    return Proposals(chosen * valid[..., None], valid)


def initialize(layer: nn.Conv2d | nn.Linear, *, std: float) -> None:
    """Draw the weights of a layer from N(0, std^2), in place; its biases become 0."""
    nn.init.normal_(layer.weight, std=std)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


def _unsuppressed(boxes: Tensor, scores: Tensor, rules: ProposalRules) -> Tensor:
    """The scores (N, B) of candidates of one map, NOTHING where they are too small or overlap a better one."""
    large = (boxes[..., 2:] - boxes[..., :2] >= rules.smallest_px).all(dim=-1)
    scores = torch.where(large, scores, NOTHING)
    one_group = torch.zeros(boxes.shape[1], dtype=torch.int64, device=boxes.device)
    flags = [
        kept(some, of_them, one_group, iou=rules.iou, least=NOTHING)
        for some, of_them in zip(boxes, scores, strict=True)
    ]
    return torch.where(torch.stack(flags), scores, NOTHING)
