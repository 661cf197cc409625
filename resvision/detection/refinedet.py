"""RefineDet: Zhang et al. 2018, https://arxiv.org/abs/1711.06897: boxes in two steps, with one pass of one net.

`refinedet320` stands on VGG-16 as in the paper and the released code; `refinedet` is the same over any net of the zoo:
its maps, and further ones of half the side each until there are four.

Glossary
    N images, K classes without the background, M true boxes of an image at most
    A        anchors of an image, of all maps together, the finest map first, row by row
    ARM      anchor refinement module: background or object, and a better place for each anchor
    ODM      object detection module: the class, and the box as seen from the refined anchor
    refined  anchors (N, A, 4) where the ARM moves them, x1 y1 x2 y2 in pixels
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from resvision.classification.classifier import require_factor
from resvision.classification.stages import up_to
from resvision.contracts import Batch, Losses, Term, fp32_or_more
from resvision.core.errors import SettingsError
from resvision.detection.detector import Candidates, TrueBoxes
from resvision.detection.one_stage import OneStageDetector
from resvision.detection.parts.anchors import AnchorGrids, centred_cells
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
from resvision.detection.parts.source_maps import BackboneMaps, first_stride
from resvision.detection.parts.transfer_connections import TransferConnections
from resvision.detection.parts.vgg16_maps import vgg16_with_conv6
from resvision.kinds.detection.suppression import Suppression

LEVELS = 4
"""The maps of the paper."""

LENGTHS = (10.0, 8.0)
"""The lengths to which the vectors of the first two maps are scaled at first; the paper's are those of VGG-16."""

RATIOS = (1.0, 0.5, 2.0)
"""Height / width of the anchors of a position, in the order of the released code."""

BEST_OF_CLASS = 1000
"""The candidates of each class that suppression looks at."""


class RefineDetMaps(NamedTuple):
    """The raw maps of both modules.

    arm  logits of background and object, and deltas from the anchors
    odm  logits of K + 1 classes, background first, and deltas from the refined anchors
    """

    arm: MultiBoxMaps
    odm: MultiBoxMaps


class RefineDet(nn.Module):
    """Figure 1: the ARM on maps of a backbone, the ODM on what the transfer connections make of them.

    channels      of the transfer connections
    anchor_scale  the side of the square anchor of a map in strides of the map
    """

    def __init__(self, backbone: BackboneMaps, *, num_classes: int, channels: int, anchor_scale: float) -> None:
        if not 0 < anchor_scale < math.inf:
            raise SettingsError(f"anchor_scale is {anchor_scale}; it must be a number above 0")
        super().__init__()
        levels = len(backbone.channels)
        of_each_position = [len(RATIOS)] * levels
        self.backbone = backbone
        self.arm = MultiBoxHead(backbone.channels, of_each_position, num_logits=2)
        self.connections = TransferConnections(backbone.channels, channels=channels)
        self.odm = MultiBoxHead([channels] * levels, of_each_position, num_logits=num_classes + 1)
        self.num_classes = num_classes
        strides = dict(zip(backbone.names, backbone.strides, strict=True))
        cells = {
            name: partial(centred_cells, [anchor_scale * stride], RATIOS, stride=stride)
            for name, stride in strides.items()
        }
        self.anchors = AnchorGrids(cells, strides)

    def forward(self, images: Tensor) -> RefineDetMaps:
        """The raw maps of normalized images (N, C, H, W)."""
        maps = [*self.backbone(images).values()]
        return RefineDetMaps(arm=self.arm(maps), odm=self.odm(self.connections(maps)))

    def encoder_names(self) -> dict[str, str]:
        """The names that the weights of the classification net have in it, by the names here."""
        return {f"backbone.{own}": name for own, name in self.backbone.encoder_names().items()}


@dataclass(frozen=True, kw_only=True)
class RefineDetLoss:
    """The options of RefineDet's loss; ValueError for values that cannot work.

    negatives           anchors of background that each module learns from, for each one that has a box (the paper's 3)
    box_weight          the factor of the losses of boxes
    certain_background  the probability of background above which the ARM takes an anchor out: the ODM learns no
                        background from it, and predictions have no box of it (the paper's 0.99); 1 takes none out
    """

    negatives: int = 3
    box_weight: float = 1.0
    certain_background: float = 0.99

    def __post_init__(self) -> None:
        if self.negatives < 1:
            raise ValueError(f"negatives must be at least 1, got {self.negatives}")
        require_factor("box_weight", self.box_weight)
        if not 0.0 < self.certain_background <= 1.0:
            raise ValueError(f"certain_background must lie above 0, and be 1 at most, got {self.certain_background}")


class RefineDetDetector(OneStageDetector[RefineDetLoss]):
    """Both modules learn as SSD does: softmax cross-entropy over matches and hard negatives, smooth L1 of deltas.

    1. The ARM learns from the anchors: object or background, and the place of the object.
    2. The anchors move to where the ARM puts them; no gradient of the ODM goes that way.
    3. The ODM learns from the moved anchors, matched anew. Those of certain background are no hard negatives; one that
       has a box is learned from, whatever the ARM takes it for.

    Each module divides by its own matches. Those of the ODM follow from predictions, so that its part of the loss is
    divided by part of a batch. An image without boxes counts as one match, and teaches three hard negatives.
    """

    loss_options: ClassVar[type] = RefineDetLoss
    usual_suppression: ClassVar[Suppression] = Suppression(score=0.01, iou=0.45, most=500)
    stages: ClassVar[Mapping[str, str]] = {"backbone": "maps", "arm": "heads", "connections": "maps", "odm": "heads"}

    net: RefineDet

    def losses_of(self, maps: RefineDetMaps, truth: TrueBoxes, sides: tuple[int, int]) -> Losses:
        """Compute `objectness` and `refinements` of the ARM, `classes` and `boxes` of the ODM.

        `error` is the share of refined anchors with an object that are given another class.
        """
        negatives, box_weight = self.options.negatives, self.options.box_weight
        anchors = self._anchors_of(maps, sides)
        arm, odm = maps.arm.values(2), maps.odm.values(self.net.num_classes + 1)
        matches = multibox_matches(anchors, *truth)
        objects = truth.labels.clamp(max=0)  # all classes are one
        first = multibox_sums(arm, anchors, matches, truth.boxes, objects, negatives=negatives)
        refined = CODING.decode(arm.deltas.detach(), anchors)
        matches = multibox_matches(refined, *truth)
        matches = matches._replace(negative=matches.negative & ~self.filtered(arm.logits.detach()))
        second = multibox_sums(odm, refined, matches, truth.boxes, truth.labels, negatives=negatives)
        return Losses(
            terms={
                "objectness": Term(first.classes, first.weight),
                "refinements": Term(box_weight * first.boxes, first.weight),
                "classes": Term(second.classes, second.weight),
                "boxes": Term(box_weight * second.boxes, second.weight),
            },
            metrics={"error": Term(second.wrong, second.objects)},
        )

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the anchors with an object for the terms of the ARM; an image without any counts 1."""
        weight = positives(multibox_matches(self.anchors_of(batch), *batch.targets)).sum()
        return {"objectness": weight, "refinements": weight}

    def candidates(self, maps: RefineDetMaps, sides: tuple[int, int]) -> Candidates:
        """The best 1,000 boxes of each class in each image; those of certain background have the score 0."""
        arm, odm = maps.arm.values(2), maps.odm.values(self.net.num_classes + 1)
        refined = CODING.decode(arm.deltas, self._anchors_of(maps, sides))
        boxes = clip(CODING.decode(odm.deltas, refined), sides)
        probabilities = fp32_or_more(odm.logits).softmax(dim=2) * ~self.filtered(arm.logits)[:, :, None]
        return Candidates(*best_of_each_class(boxes, probabilities, most=BEST_OF_CLASS))

    def filtered(self, objectness: Tensor) -> Tensor:
        """Flags (N, A) of the anchors that the ARM takes for certain background, of its logits (N, A, 2)."""
        background: Tensor = fp32_or_more(objectness).softmax(dim=2)[:, :, 0]
        return background > self.options.certain_background

    def anchors(self, sides: tuple[int, int]) -> dict[str, Tensor]:
        """The anchors of an image of these sides before they are refined, (h * w * 3, 4) pixels, by map."""
        return self.net.anchors.of(self.map_sizes(sides), sides, self.mean.device)

    def unmatched(self, boxes: Tensor, sides: tuple[int, int]) -> Tensor:
        """Whether each of these boxes (M, 4) overlaps no anchor at all, (M,): any other has one of its own."""
        anchors = torch.cat([*self.anchors(sides).values()])
        return largest_overlaps(boxes.to(anchors.device), anchors) <= 0

    def _anchors_of(self, maps: RefineDetMaps, sides: tuple[int, int]) -> Tensor:
        """The anchors (A, 4) of raw maps."""
        sizes = dict(zip(self.net.anchors.cells, maps.arm.sides, strict=True))
        return torch.cat([*self.net.anchors.of(sizes, sides, self.mean.device).values()])


def refinedet320(*, num_classes: int, in_channels: int = 3, width: int = 64, anchor_scale: float = 4.0) -> RefineDet:
    """The paper's net on VGG-16, for images of 320 px or any other size; RefineDet512 has the same weights.

    width         channels of the first convolution, by which all others scale
    anchor_scale  the side of the square anchor of a map in strides of the map: with 4 anchors have 32 to 256 pixels

    Raises SettingsError for a scale that is not above 0.
    """
    body = vgg16_with_conv6(in_channels=in_channels, width=width)
    maps = BackboneMaps(body, first_stride=8, count=0, channels=0, lengths=LENGTHS, new=("fc", "conv6"))
    return RefineDet(maps, num_classes=num_classes, channels=4 * width, anchor_scale=anchor_scale)


def refinedet(
    backbone: nn.Module,
    *,
    num_classes: int,
    input_size: int = 320,
    channels: int = 256,
    anchor_scale: float = 4.0,
) -> RefineDet:
    """RefineDet over any backbone: four maps, its own from stride 8 on, and further ones where it has fewer.

    Of small images the maps begin finer, so that the first has 24 positions along a side: at stride 4 of 96 px.

    input_size    side of the images that are trained on, in pixels, from which the first map follows; images of other
                  sides are taken, too
    channels      of the transfer connections; further maps have twice as many
    anchor_scale  the side of the square anchor of a map in strides of the map

    Raises MissingStageError for a net without maps, SettingsError for fewer than one channel and a scale that is not
    above 0.
    """
    if channels < 1:
        raise SettingsError(f"channels is {channels}; it must be at least 1")
    body = encoder(backbone, ())
    stride = first_stride(input_size)
    own = [name for name, of_map in body.stride.items() if of_map >= stride] or [*body.stride][-1:]
    maps = BackboneMaps(
        up_to(body, own[:LEVELS][-1]),
        first_stride=stride,
        count=LEVELS - len(own[:LEVELS]),
        channels=2 * channels,
        lengths=LENGTHS,
    )
    return RefineDet(maps, num_classes=num_classes, channels=channels, anchor_scale=anchor_scale)
