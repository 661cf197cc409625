"""A net that classifies each region by itself: what R-CNN and SPP-net share.

Girshick et al. 2014, https://arxiv.org/abs/1311.2524; He et al. 2014, https://arxiv.org/abs/1406.4729. First its last
layer scores the classes and the background, for fine-tuning. Then linear SVMs take the place of that layer, and ridge
regression moves each region: linear layers both, which `resvision.fits.regions` fits.

Glossary
    N, P, K  images, regions of each image, classes without the background
    R        regions of all images, or some of them
    D, F     length of the features that classes are told by, and of those that boxes are moved by
    image    (R,) int64, the image of each region
    regions  (R, 4), x1 y1 x2 y2 in continuous pixels
"""

from abc import abstractmethod
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from resvision.contracts import fp32_or_more
from resvision.core.errors import SettingsError
from resvision.detection.detector import RegionNet, whole_images
from resvision.detection.parts.fitted_layers import FittedLinear

Scores = Literal["softmax", "svm"]

REGIONS_AT_A_TIME = 128
"""The most regions whose features are held at a time: as many as a step of the paper's fine-tuning learns from."""


class RegionFeatures(NamedTuple):
    """The features of regions.

    last    (R, D), those that enter the last layer of the classifier: fc7 of AlexNet
    pooled  (R, F), its last map, flattened: pool5 of AlexNet
    """

    last: Tensor
    pooled: Tensor


class ClassifiedRegions(NamedTuple):
    """The raw maps.

    proposals  (N, P, 4) float32 pixels; a row of zeros is no proposal
    logits     (N, P, K + 1), the background first; of a net with SVMs (N, P, K), their margins
    deltas     (N, P, K, 4) float32, offsets from the proposals for each class; zeros without regression
    """

    proposals: Tensor
    logits: Tensor
    deltas: Tensor


class ClassifiedRegionNet(RegionNet):
    """Features of each region, and linear layers over them. Abstract.

    scores          "softmax": `class_layer` scores regions; "svm": `svms` score them, and `box_layer` moves them
    class_layer     from D to K + 1, the background first, trained by gradient descent
    svms            from D to K, of buffers; only with scores "svm"
    box_layer       from F to 4 K, of buffers, likewise
    most_proposals  of an image
    """

    def __init__(
        self, *, last: int, pooled: int, num_classes: int, scores: Scores = "softmax", proposals: int = 2000
    ) -> None:
        super().__init__()
        if scores not in get_args(Scores):
            raise SettingsError(f"scores {scores!r}: choices are {', '.join(get_args(Scores))}")
        self.scores = scores
        self.most_proposals = proposals
        self.class_layer = nn.Linear(last, num_classes + 1)
        nn.init.normal_(self.class_layer.weight, std=0.01)
        nn.init.zeros_(self.class_layer.bias)
        if scores == "svm":
            self.svms = FittedLinear(last, num_classes)
            self.box_layer = FittedLinear(pooled, 4 * num_classes)

    @abstractmethod
    def shared(self, images: Tensor) -> Any:
        """What all regions of normalized images (N, C, H, W) share: maps, or the images themselves."""

    @abstractmethod
    def features(self, shared: Any, image: Tensor, regions: Tensor) -> RegionFeatures:
        """The features of some regions (R, 4) of the images (R,) that `shared` was made of."""

    def forward(self, images: Tensor, proposals: Tensor | None = None) -> ClassifiedRegions:
        """The raw maps of normalized images (N, C, H, W) and their proposals (N, P, 4)."""
        proposals = whole_images(images) if proposals is None else proposals[:, : self.most_proposals]
        count, places = proposals.shape[:2]
        image = torch.arange(count, device=images.device).repeat_interleave(places)
        shared = self.shared(images)
        # Regions go through the net a few at a time, so that memory does not grow with their number.
        few = (torch.split(members, REGIONS_AT_A_TIME) for members in (image, proposals.flatten(0, 1)))
        parts = [self._scored(self.features(shared, *some)) for some in zip(*few, strict=True)]
        logits, deltas = (torch.cat(members) for members in zip(*parts, strict=True))
        return ClassifiedRegions(proposals, logits.view(count, places, -1), deltas.view(count, places, -1, 4))

    def logits(self, images: Tensor, image: Tensor, regions: Tensor) -> Tensor:
        """The logits of regions (R, 4) of normalized images, (R, K + 1), the background first."""
        logits: Tensor = self.class_layer(self.last_features(self.shared(images), image, regions))
        return logits

    def last_features(self, shared: Any, image: Tensor, regions: Tensor) -> Tensor:
        """The features of the last layer alone, (R, D): all that fine-tuning needs."""
        return self.features(shared, image, regions).last

    def _scored(self, features: RegionFeatures) -> tuple[Tensor, Tensor]:
        """Logits or margins of some regions, and their deltas (R, 4 K)."""
        if self.scores == "svm":
            return self.svms(features.last), self.box_layer(features.pooled)
        logits = fp32_or_more(self.class_layer(features.last))
        return logits, logits.new_zeros(len(logits), 4 * (logits.shape[1] - 1))
