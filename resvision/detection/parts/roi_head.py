"""The head that looks at each region: two fully connected layers, then its class and a box for each class.

Girshick 2015, https://arxiv.org/abs/1504.08083, section 2.2; parameter names are torchvision's.

Glossary
    N, P, K  images, regions of each image, classes without the background, which is class 0 of the head
    R        regions of all images
"""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from resvision.contracts import fp32_or_more
from resvision.detection.parts.box_coding import BoxCoding, clip
from resvision.detection.parts.proposals import initialize
from resvision.detection.parts.sampling import at
from resvision.layers.truncated_linear import linear

MOST_PAIRS = 5_000
"""The most pairs of a region and a class that are looked at in an image."""

SMALLEST_PX = 1e-2
"""Boxes with a shorter side have score 0."""


class RegionMaps(NamedTuple):
    """The logits and deltas of each region.

    logits  (N, P, K + 1), the background first
    deltas  (N, P, K + 1, 4), offsets from the region for each class; those of the background mean nothing
    """

    logits: Tensor
    deltas: Tensor


class BoxHead(nn.Module):
    """fc6 and fc7, from grids (R, C, G, G), or what is pooled otherwise, to vectors (R, hidden).

    ranks  of fc6 and fc7 after a truncated SVD; None leaves a layer whole
    """

    def __init__(
        self,
        in_features: int,
        hidden: int,
        *,
        dropout: float = 0.0,
        ranks: tuple[int | None, int | None] = (None, None),
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.fc6 = linear(in_features, hidden, rank=ranks[0])
        self.fc7 = linear(hidden, hidden, rank=ranks[1])
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, grids: Tensor) -> Tensor:
        """The vectors of the regions."""
        hidden = self.dropout(self.relu(self.fc6(grids.flatten(1))))
        vectors: Tensor = self.dropout(self.relu(self.fc7(hidden)))
        return vectors


class BoxPredictor(nn.Module):
    """The logits of the classes and the offsets of a box for each, from vectors (R, hidden)."""

    def __init__(self, hidden: int, *, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(hidden, num_classes + 1)
        self.bbox_pred = nn.Linear(hidden, 4 * (num_classes + 1))
        initialize(self.cls_score, std=0.01)
        initialize(self.bbox_pred, std=0.001)

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (R, K + 1) and offsets (R, 4 (K + 1))."""
        return self.cls_score(vectors), self.bbox_pred(vectors)


class RegionHead(nn.Module):
    """Pooling, box head and predictor, of regions of any number.

    pooling  a module from maps by name and regions (N, P, 4) to grids (N * P, C, G, G)
    """

    def __init__(self, pooling: nn.Module, box_head: nn.Module, box_predictor: nn.Module) -> None:
        super().__init__()
        self.pooling = pooling
        self.box_head = box_head
        self.box_predictor = box_predictor

    def forward(self, maps: Mapping[str, Tensor], regions: Tensor) -> RegionMaps:
        """Logits and deltas of regions (N, P, 4), x1 y1 x2 y2 in pixels."""
        images, count, _ = regions.shape
        logits, deltas = self.box_predictor(self.box_head(self.pooling(maps, regions)))
        return RegionMaps(logits.view(images, count, -1), deltas.view(images, count, -1, 4))


def best_pairs(
    maps: RegionMaps, regions: Tensor, valid: Tensor, coding: BoxCoding, sides: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """The pairs of a region and a class of highest probability: boxes (N, B, 4), scores (N, B) and labels (N, B).

    regions  (N, P, 4), from which the deltas are coded by `coding`
    valid    (N, P) bool: the others have score 0
    sides    height and width of the images, to which boxes are clipped
    """
    probabilities = fp32_or_more(maps.logits).softmax(dim=-1)[..., 1:] * valid[..., None]
    return best_boxes(probabilities, maps.deltas[:, :, 1:], regions, coding, sides)


def best_boxes(
    scores: Tensor, deltas: Tensor, regions: Tensor, coding: BoxCoding, sides: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """The pairs of a region and a class of highest score: boxes (N, B, 4), scores (N, B) and labels (N, B).

    scores   (N, P, K), 0..1
    deltas   (N, P, K, 4), offsets from the regions by `coding`
    regions  (N, P, 4)
    sides    height and width of the images, to which boxes are clipped
    """
    classes = scores.shape[-1]
    count = min(MOST_PAIRS, scores.shape[1] * classes)
    scores, pairs = scores.flatten(1).topk(count, dim=1)
    region, label = pairs // classes, pairs % classes
    deltas = at(deltas.flatten(1, 2), pairs)
    boxes = clip(coding.decode(deltas, at(regions, region)), sides)
    large = (boxes[..., 2:] - boxes[..., :2] >= SMALLEST_PX).all(dim=-1)
    return boxes, scores * large, label
