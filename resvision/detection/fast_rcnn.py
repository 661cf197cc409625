"""Fast R-CNN: Girshick 2015, https://arxiv.org/abs/1504.08083.

One pass over the image gives maps, in which every given region is looked at: its class and a box for each class come
from one head, and are learned together. `fast_rcnn_vgg16` is the paper's; `fast_rcnn` stands on any backbone, with RoI
max pooling in one map, or RoIAlign under a feature pyramid.

The paper's code learns nothing from regions that overlap no object by 0.1; in an image without objects, which the
paper's sets have not, all regions are background here. Mean and deviation of offsets are measured on the images as they
are, where the code also counts them mirrored.

Glossary
    N, P, K  images, places for the regions of an image, classes without the background
    C, H, W  channels, height and width in pixels
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from resvision.classification.classifier import require_factor
from resvision.contracts import Batch, Losses
from resvision.core.errors import SettingsError
from resvision.core.samples import Reader
from resvision.detection.detector import (
    Candidates,
    RegionDetector,
    RegionNet,
    TrueBoxes,
    given_proposals,
    is_region,
    whole_images,
)
from resvision.detection.parts.encoder import encoder_names
from resvision.detection.parts.filling import filled_up
from resvision.detection.parts.matching import match
from resvision.detection.parts.offset_scale import CODING, OffsetMoments, OffsetScale
from resvision.detection.parts.region_features import Features, region_features
from resvision.detection.parts.region_rules import FAST
from resvision.detection.parts.roi_head import BoxHead, BoxPredictor, RegionHead, RegionMaps, best_pairs
from resvision.detection.parts.roi_pooling import RoIAlign, RoIMaxPool
from resvision.detection.parts.sampled_losses import REGION_TERMS, region_errors, region_terms
from resvision.detection.parts.sampling import draw, with_true_boxes
from resvision.detection.parts.vgg16_stages import OF_VGG16, vgg16_regions
from resvision.detection.proposing import ProposedReader
from resvision.kinds.detection.boxes import BoxTargets

GRID = 7


class FastRCNNMaps(NamedTuple):
    """The regions that were given, and the raw maps of each.

    proposals  (N, P, 4) pixels; zeros where there is none
    logits     (N, P, K + 1), the background first
    deltas     (N, P, K + 1, 4), offsets from the proposals for each class, scaled
    """

    proposals: Tensor
    logits: Tensor
    deltas: Tensor


class FastRCNN(RegionNet):
    """Maps of the image, and from them logits and offsets of each region: figure 1.

    backbone        gives maps by name
    most_proposals  the most regions of an image
    multiple        zeros fill the right and lower edge of images up to a multiple of this many pixels
    of_encoder      the names, in the classification net below, of layers of the head that come from it
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        roi_heads: RegionHead,
        num_classes: int,
        most_proposals: int,
        multiple: int = 1,
        of_encoder: dict[str, str] | None = None,
    ) -> None:
        super().__init__()
        if most_proposals < 1:
            raise SettingsError(f"proposals is {most_proposals}; it must be at least 1")
        self.backbone = backbone
        self.roi_heads = roi_heads
        self.offsets = OffsetScale(num_classes)
        self.num_classes = num_classes
        self.most_proposals = most_proposals
        self.multiple = multiple
        self.of_encoder = of_encoder or {}

    def forward(self, images: Tensor, proposals: Tensor | None = None) -> FastRCNNMaps:
        """The raw maps of normalized images (N, C, H, W) and their regions (N, P, 4); the whole image without these."""
        proposals = self.regions(images, proposals)
        return FastRCNNMaps(proposals, *self.roi_heads(self.maps(images), proposals))

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        """The maps of images by name."""
        maps: dict[str, Tensor] = self.backbone(filled_up(images, self.multiple))
        return maps

    def regions(self, images: Tensor, proposals: Tensor | None) -> Tensor:
        """The regions that are looked at, (N, P, 4): those given, or one that is the whole image."""
        return whole_images(images) if proposals is None else proposals[:, : self.most_proposals]

    def encoder_names(self) -> dict[str, str]:
        """The names that the weights of the classification net have in it, by the names here."""
        return encoder_names(self, {f"roi_heads.box_head.{own}": name for own, name in self.of_encoder.items()})


def fast_rcnn(
    backbone: nn.Module,
    *,
    num_classes: int,
    features: Features = "pyramid",
    channels: int = 256,
    hidden: int = 1024,
    proposals: int = 2000,
    svd_fc6: int | None = None,
    svd_fc7: int | None = None,
) -> FastRCNN:
    """The net over any backbone with the maps that it needs.

    features          a pyramid over C2 to C5, or one map
    channels          of the pyramid
    hidden            width of the two layers that look at a region
    proposals         the most regions of an image
    svd_fc6, svd_fc7  rank of each of the two layers after a truncated SVD; left out, it is whole

    Raises MissingStageError for a backbone without these maps, SettingsError for another choice of `features` and for
    a number of proposals below 1.
    """
    maps = region_features(backbone, features, channels=channels)
    (name, stride), *others = maps.strides.items()
    return FastRCNN(
        maps.backbone,
        roi_heads=RegionHead(
            RoIAlign(maps.strides, grid=GRID) if others else RoIMaxPool(name, stride, grid=GRID),
            BoxHead(maps.channels * GRID**2, hidden, ranks=(svd_fc6, svd_fc7)),
            BoxPredictor(hidden, num_classes=num_classes),
        ),
        num_classes=num_classes,
        most_proposals=proposals,
        multiple=maps.multiple,
    )


def fast_rcnn_vgg16(
    *,
    num_classes: int,
    in_channels: int = 3,
    width: int = 64,
    proposals: int = 2000,
    dropout: float = 0.5,
    svd_fc6: int | None = None,
    svd_fc7: int | None = None,
) -> FastRCNN:
    """The paper's net on VGG-16: RoI max pooling of conv5_3, and VGG's fc6 and fc7 as head.

    width             channels of the first convolution, by which all others scale
    proposals         the most regions of an image
    dropout           after fc6 and fc7
    svd_fc6, svd_fc7  rank of each of the two layers after a truncated SVD; left out, it is whole

    Raises SettingsError for a number of proposals below 1.
    """
    stages, roi_heads = vgg16_regions(
        num_classes=num_classes, in_channels=in_channels, width=width, dropout=dropout, ranks=(svd_fc6, svd_fc7)
    )
    truncated = {"fc6": svd_fc6, "fc7": svd_fc7}
    return FastRCNN(
        stages,
        roi_heads=roi_heads,
        num_classes=num_classes,
        most_proposals=proposals,
        of_encoder={own: name for own, name in OF_VGG16.items() if truncated[own] is None},
    )


@dataclass(frozen=True, kw_only=True)
class FastRCNNLoss:
    """The options of the loss of Fast R-CNN; ValueError for values that cannot work.

    box_weight         of the offsets, lambda in equation 1
    regions            that are drawn in an image
    lowest_background  the overlap with an object from which a region is learned as background, up to 0.5
    """

    box_weight: float = 1.0
    regions: int = 64
    lowest_background: float = 0.1

    def __post_init__(self) -> None:
        require_factor("box_weight", self.box_weight)
        if self.regions < 4:
            raise ValueError(f"regions must be at least 4, of which 1 may show an object, got {self.regions}")
        if not 0 <= self.lowest_background < FAST.regions.negative:
            raise ValueError(f"lowest_background must lie in 0..0.5, got {self.lowest_background}")


class FastRCNNDetector(RegionDetector):
    """Two terms, each a mean over the regions that are drawn in an image: sections 2.2 and 2.3.

    1. Regions, and the true boxes themselves, are matched; of those drawn at most a quarter show an object.
    2. Classes are learned from all that are drawn, offsets from those of objects, at mean 0 and variance 1.
    """

    loss_options: ClassVar[type] = FastRCNNLoss
    stages: ClassVar[Mapping[str, str]] = {"backbone": "maps", "roi_heads": "regions"}
    net: FastRCNN

    def __init__(
        self,
        net: FastRCNN,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        options: FastRCNNLoss | None = None,
    ) -> None:
        super().__init__(net, mean=mean, std=std, suppression=FAST.suppression)
        options = options or FastRCNNLoss()
        self.box_weight = options.box_weight
        self.rules = replace(FAST.regions, count=options.regions, lowest_negative=options.lowest_background)

    def losses(self, batch: Batch) -> Losses:
        """Compute the two terms; `error` is the share of regions whose most probable class is wrong."""
        images = self.normalized(batch.inputs.images)
        proposals = self.net.regions(images, given_proposals(batch.inputs))
        losses: Losses = self._losses_of(self.net.maps(images), proposals, batch.targets)
        return losses

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _losses_of(self, maps: dict[str, Tensor], proposals: Tensor, truth: TrueBoxes) -> Losses:
        # Not compiled: the numbers of true boxes and regions are others in every step, and each would make a graph.
        drawn = draw(*with_true_boxes(proposals, is_region(proposals), *truth), *truth, self.rules)
        region_maps = self.net.roi_heads(maps, drawn.references)
        wanted = self.net.offsets.encode(drawn.boxes, drawn.references, drawn.labels)
        return Losses(
            terms=region_terms(region_maps, drawn, wanted, beta=FAST.beta, box_weight=self.box_weight),
            metrics={"error": region_errors(region_maps, drawn)},
        )

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the images for each term."""
        return dict.fromkeys(REGION_TERMS, self.mean.new_tensor(float(len(batch.inputs.images))))

    def candidates(self, maps: FastRCNNMaps, sides: tuple[int, int]) -> Candidates:
        """The pairs of a region and a class of highest probability."""
        regions = RegionMaps(maps.logits, self.net.offsets.restored(maps.deltas))
        return Candidates(*best_pairs(regions, maps.proposals, is_region(maps.proposals), CODING, sides))

    def measure(self, reader: Reader[BoxTargets]) -> None:
        """Measure mean and deviation of the offsets from all regions that overlap a box by half, for each class.

        True boxes are regions too. A class with fewer than two has the values of all classes together.
        """
        assert isinstance(reader, ProposedReader), "the task brings the regions"
        moments = OffsetMoments(self.net.num_classes)
        for index in range(len(reader)):
            image, truth = reader[index]
            regions = reader.in_image(image, reader.source(index))
            boxes, labels, crowd = map(torch.from_numpy, (truth.boxes, truth.labels, truth.crowd))
            references = torch.cat([torch.from_numpy(regions).to(boxes), boxes[~crowd]])
            rules = self.rules
            matches = match(references, boxes, labels, crowd, positive=rules.positive, negative=rules.negative)
            own = matches.box[matches.positive]
            moments.add(boxes[own], references[matches.positive], labels[own])
        self.net.offsets.set_to(moments)
