"""SSD: Liu et al. 2016, https://arxiv.org/abs/1512.02325: boxes and classes from several maps of a net in one pass.

SSD300 stands on VGG-16 as the paper's Figure 2 has it, with torchvision's names of parameters. `ssd` is the same over
any net of the zoo: its maps, then further ones of half the side each until one position is left.

Glossary
    N images, K classes without the background, M true boxes of an image at most
    A       priors of an image, of all maps together, the finest map first, row by row
    logits  of K + 1 classes, background first
    deltas  offsets of a box from its prior
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from resvision.classification.classifier import require_factor
from resvision.contracts import Batch, Losses, Term, fp32_or_more
from resvision.core.errors import SettingsError
from resvision.detection.detector import Candidates, TrueBoxes
from resvision.detection.one_stage import OneStageDetector
from resvision.detection.parts.box_coding import clip
from resvision.detection.parts.encoder import encoder
from resvision.detection.parts.matching import largest_overlaps, positives
from resvision.detection.parts.multibox import (
    CODING,
    MultiBoxHead,
    MultiBoxMaps,
    best_of_each_class,
    multibox_matches,
    multibox_sums,
)
from resvision.detection.parts.priors import Priors, linear_priors
from resvision.detection.parts.source_maps import BackboneMaps, first_stride
from resvision.detection.parts.vgg16_maps import VGG16Maps
from resvision.kinds.detection.suppression import Suppression

BEST_OF_CLASS = 400
"""The candidates of each class that suppression looks at."""

SIZES_PX: dict[str, tuple[float, ...]] = {
    "voc": (30, 60, 111, 162, 213, 264, 315),
    "coco": (21, 45, 99, 153, 207, 261, 315),
}
"""Sizes of the priors of SSD300, in images of 300 px; COCO has smaller objects."""

RATIOS = ((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,))
"""The ratios of the priors of SSD300."""

STEPS_PX = (8, 16, 32, 64, 100, 300)
"""The distances between positions of the maps of SSD300, in images of 300 px."""

PriorSet = Literal["voc", "coco"]


class SSD(nn.Module):
    """Maps of a backbone, and on each of them the logits and deltas of its priors."""

    def __init__(self, backbone: VGG16Maps | BackboneMaps, priors: Priors, *, num_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = MultiBoxHead(backbone.channels, priors.of_each_position, num_logits=num_classes + 1)
        self.priors = priors
        self.num_classes = num_classes

    def forward(self, images: Tensor) -> MultiBoxMaps:
        """The raw maps of normalized images (N, C, H, W)."""
        maps: MultiBoxMaps = self.head([*self.backbone(images).values()])
        return maps

    def encoder_names(self) -> dict[str, str]:
        """The names that the weights of the classification net have in it, by the names here."""
        return {f"backbone.{own}": name for own, name in self.backbone.encoder_names().items()}


@dataclass(frozen=True, kw_only=True)
class SSDLoss:
    """The options of SSD's loss; ValueError for values that cannot work.

    negatives   priors of background that are learned from, for each one that has a box; those of each image that are
                taken for objects most surely (the paper's 3)
    box_weight  the factor of the loss of boxes (the paper's alpha, 1)
    """

    negatives: int = 3
    box_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.negatives < 1:
            raise ValueError(f"negatives must be at least 1, got {self.negatives}")
        require_factor("box_weight", self.box_weight)


class SSDDetector(OneStageDetector[SSDLoss]):
    """The system of SSD: softmax cross-entropy of classes and smooth L1 of deltas, over matches and hard negatives.

    Both are divided by the number of priors with an object in the batch. An image without any counts as though it had
    one, so that its three hardest negatives teach what background is; the released code and torchvision learn nothing
    of such an image.
    """

    loss_options: ClassVar[type] = SSDLoss
    usual_suppression: ClassVar[Suppression] = Suppression(score=0.01, iou=0.45, most=200)

    net: SSD

    def losses_of(self, maps: MultiBoxMaps, truth: TrueBoxes, sides: tuple[int, int]) -> Losses:
        """Compute `classes` and `boxes`; `error` is the share of priors with an object that are given another class."""
        priors = torch.cat(self.net.priors.boxes(maps.sides, sides, device=self.mean.device))
        matches = multibox_matches(priors, *truth)
        predicted = maps.values(self.net.num_classes + 1)
        sums = multibox_sums(predicted, priors, matches, truth.boxes, truth.labels, negatives=self.options.negatives)
        return Losses(
            terms={
                "classes": Term(sums.classes, sums.weight),
                "boxes": Term(self.options.box_weight * sums.boxes, sums.weight),
            },
            metrics={"error": Term(sums.wrong, sums.objects)},
        )

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the priors with an object; an image without any counts 1."""
        weight = positives(multibox_matches(self.anchors_of(batch), *batch.targets)).sum()
        return {"classes": weight, "boxes": weight}

    def candidates(self, maps: MultiBoxMaps, sides: tuple[int, int]) -> Candidates:
        """The best 400 boxes of each class in each image."""
        logits, deltas = maps.values(self.net.num_classes + 1)
        priors = torch.cat(self.net.priors.boxes(maps.sides, sides, device=deltas.device))
        boxes = clip(CODING.decode(deltas, priors), sides)
        return Candidates(*best_of_each_class(boxes, fp32_or_more(logits).softmax(dim=2), most=BEST_OF_CLASS))

    def anchors(self, sides: tuple[int, int]) -> dict[str, Tensor]:
        """The priors of an image of these sides, (A, 4) pixels, by map."""
        map_sides = [*self.map_sizes(sides).values()]
        priors = self.net.priors.boxes(map_sides, sides, device=self.mean.device)
        return dict(zip(self.net.backbone.names, priors, strict=True))

    def unmatched(self, boxes: Tensor, sides: tuple[int, int]) -> Tensor:
        """Whether each of these boxes (M, 4) overlaps no prior at all, (M,): any other has one of its own."""
        priors = torch.cat([*self.anchors(sides).values()])
        return largest_overlaps(boxes.to(priors.device), priors) <= 0


def ssd300_vgg16(*, num_classes: int, in_channels: int = 3, width: int = 64, priors: PriorSet = "coco") -> SSD:
    """SSD300 on VGG-16, for images of 300 px; 268 px are the least.

    width   channels of the first convolution, by which all others scale
    priors  coco: the paper's sizes for COCO, none larger than the image, as in torchvision; voc: those for VOC

    Raises SettingsError for other priors.
    """
    if priors not in get_args(PriorSet):
        raise SettingsError(f"priors {priors!r}: choices are {', '.join(get_args(PriorSet))}")
    default_boxes = Priors(SIZES_PX[priors], RATIOS, 300, STEPS_PX, clamped=priors == "coco")
    backbone = VGG16Maps(in_channels=in_channels, width=width)
    return SSD(backbone, default_boxes, num_classes=num_classes)


def ssd(
    backbone: nn.Module,
    *,
    num_classes: int,
    input_size: int = 300,
    channels: int = 256,
    smallest: float = 0.2,
    largest: float = 0.9,
) -> SSD:
    """SSD over any backbone: its maps from stride 8 on, and further maps until one position is left.

    Of small images the maps begin finer, so that the first has 24 positions along a side: at stride 4 of 96 px.

    input_size  side of the images that are trained on, in pixels, from which sizes of priors and further maps follow;
                images of other sides are taken, too
    channels    of the further maps
    smallest    size of the priors of the second map, as a share of the image's side; the first map has half of it
    largest     size of the priors of the last map

    Raises MissingStageError for a net without maps, SettingsError for sizes that do not grow within 0..1.
    """
    body = encoder(backbone, ())
    deepest = math.ceil(input_size / [*body.stride.values()][-1])
    count = math.ceil(math.log2(deepest))
    maps = BackboneMaps(body, first_stride=first_stride(input_size), count=count, channels=channels)
    priors = linear_priors(len(maps.channels), input_px=input_size, smallest=smallest, largest=largest)
    return SSD(maps, priors, num_classes=num_classes)
