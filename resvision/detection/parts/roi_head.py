"""The head that looks at each region: two fully connected layers, then its class and a box for each class.

Girshick 2015, https://arxiv.org/abs/1504.08083, section 2.2; parameter names are torchvision's.

Glossary
    N, P, K  images, regions of each image, classes without the background, which is class 0 of the head
    R        regions of all images
"""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from resvision.detection.parts.proposals import initialize


class RegionMaps(NamedTuple):
    """What the head says of each region.

    logits  (N, P, K + 1), the background first
    deltas  (N, P, K + 1, 4), offsets from the region for each class; those of the background mean nothing
    """

    logits: Tensor
    deltas: Tensor


class BoxHead(nn.Module):
    """fc6 and fc7, from grids (R, C, G, G) to vectors (R, hidden)."""

    def __init__(self, in_features: int, hidden: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.fc6 = nn.Linear(in_features, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
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
        """What is said of regions (N, P, 4), x1 y1 x2 y2 in pixels."""
        images, count, _ = regions.shape
        logits, deltas = self.box_predictor(self.box_head(self.pooling(maps, regions)))
        return RegionMaps(logits.view(images, count, -1), deltas.view(images, count, -1, 4))
