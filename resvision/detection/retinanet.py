"""RetinaNet: Lin et al. 2017, Focal Loss for Dense Object Detection, https://arxiv.org/abs/1708.02002.

Two variants over any net with maps C3, C4 and C5. "2017" is the paper's. "torchvision" is torchvision's, whose state
dict it takes: P6 comes from P5, anchors have rounded edges and lie about the corners of their cells, each box also
makes those anchors positive that overlap it most, boxes have an L1 loss, and each image divides by its own positive
anchors.

Where the paper divides the sum of the losses by the number of positive anchors of an image, "2017" divides that of a
batch by the number of those of the batch, in which an image without any counts as one: so does the authors' Detectron,
and the gradient of an image without boxes stays finite.

Glossary
    N images, M true boxes of an image at most, K classes, A anchors of a cell, L levels P3..P7
    logits  by level (N, A * K, h, w): those of the first anchor of a cell, then those of the next
    deltas  by level (N, A * 4, h, w), likewise
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal, NamedTuple, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.classifier import require_factor
from resvision.contracts import Batch, Losses, Term, fp32_or_more
from resvision.core.errors import SettingsError
from resvision.detection.detector import Candidates, TrueBoxes
from resvision.detection.one_stage import OneStageDetector
from resvision.detection.parts.anchors import RATIOS, AnchorGrids, centred_cells, cornered_cells
from resvision.detection.parts.best_pairs import best_pairs
from resvision.detection.parts.box_coding import BoxCoding, clip
from resvision.detection.parts.encoder import encoder
from resvision.detection.parts.filling import filled_sides, filled_up
from resvision.detection.parts.focal_loss import focal_sum
from resvision.detection.parts.matching import Matches, classes_of, largest_overlaps, match, positives, stacked
from resvision.detection.parts.pyramid import FeaturePyramid, PyramidEncoder, Source, StridedMaps
from resvision.detection.parts.subnets import Subnet, per_anchor
from resvision.kinds.detection.suppression import Suppression

Variant = Literal["2017", "torchvision"]

TAKES = ("C3", "C4", "C5")
OCTAVES = (2 ** (0 / 3), 2 ** (1 / 3), 2 ** (2 / 3))
"""Sizes of the anchors of a level, in multiples of its smallest."""
ANCHORS = len(OCTAVES) * len(RATIOS)
CHANNELS = 256
PRIOR = 0.01
"""The probability that a new net gives every class at every anchor."""
CANDIDATES = 1000
"""The most candidates of a level."""


class VariantSettings(NamedTuple):
    """The settings in which the variants differ.

    p6_from      the map from which P6 comes
    multiple     images are filled up with zeros, right and below, to sides that are multiples of it
    low_quality  whether each box also makes those anchors positive that overlap it most
    beta         where the smooth L1 loss of a box passes from quadratic to linear; 0 is L1
    per_image    whether each image divides by its own positive anchors
    most         the most detections of an image
    """

    p6_from: Source
    multiple: int
    low_quality: bool
    beta: float
    per_image: bool
    most: int


VARIANTS: dict[Variant, VariantSettings] = {
    # The paper names no beta; 1/9 is Detectron's.
    "2017": VariantSettings("C5", multiple=1, low_quality=False, beta=1 / 9, per_image=False, most=100),
    "torchvision": VariantSettings("P5", multiple=32, low_quality=True, beta=0.0, per_image=True, most=300),
}


class RetinaNetMaps(NamedTuple):
    """The raw maps of RetinaNet, fine to coarse, as in the glossary."""

    logits: tuple[Tensor, ...]
    deltas: tuple[Tensor, ...]


class Head(nn.Module):
    """The two subnets, for classes and for boxes: figure 3 (c) and (d)."""

    def __init__(self, channels: int, *, num_classes: int) -> None:
        super().__init__()
        bias = -math.log((1 - PRIOR) / PRIOR)
        self.classification_head = Subnet(channels, results=ANCHORS * num_classes, last="cls_logits", bias=bias)
        self.regression_head = Subnet(channels, results=ANCHORS * 4, last="bbox_reg")

    def forward(self, pyramid: Sequence[Tensor]) -> RetinaNetMaps:
        """Logits and deltas of the maps of a pyramid."""
        logits = tuple(self.classification_head(level) for level in pyramid)
        deltas = tuple(self.regression_head(level) for level in pyramid)
        return RetinaNetMaps(logits, deltas)


class RetinaNet(nn.Module):
    """An encoder under a feature pyramid, and the two subnets at each of its levels.

    anchors  of the maps of the pyramid
    """

    def __init__(
        self, backbone: PyramidEncoder, *, head: Head, anchors: AnchorGrids, num_classes: int, variant: Variant
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.num_classes = num_classes
        self.anchors = anchors
        self.settings = VARIANTS[variant]

    def forward(self, images: Tensor) -> RetinaNetMaps:
        """Logits and deltas of normalized images (N, C, H, W)."""
        pyramid = self.backbone(filled_up(images, self.settings.multiple))
        maps: RetinaNetMaps = self.head([*pyramid.values()])
        return maps


def pyramid_anchors(names: Sequence[str], *, variant: Variant, scale: float) -> AnchorGrids:
    """The anchors of maps Pk of stride 2^k; `scale` is the side of the smallest of a map in strides of the map."""
    strides = {name: 2 ** int(name[1:]) for name in names}
    sizes = {name: [scale * stride * octave for octave in OCTAVES] for name, stride in strides.items()}
    if variant == "torchvision":
        return AnchorGrids({name: partial(cornered_cells, [int(size) for size in sizes[name]]) for name in names})
    return AnchorGrids({name: partial(centred_cells, sizes[name], stride=strides[name]) for name in names}, strides)


def retinanet(
    backbone: nn.Module,
    *,
    num_classes: int,
    variant: Variant = "2017",
    channels: int = CHANNELS,
    anchor_scale: float = 4.0,
) -> RetinaNet:
    """The net over any backbone with maps C3, C4 and C5.

    variant       that of the paper, or torchvision's
    channels      of the pyramid and of the subnets
    anchor_scale  the side of the smallest anchor of a level in strides of the level: with 4 anchors go from 32 pixels
                  to 813; smaller objects need less

    Raises MissingStageError for a backbone without the maps, SettingsError for another variant, fewer than one channel
    and a scale that is not above 0.
    """
    if variant not in get_args(Variant):
        raise SettingsError(f"variant {variant!r}: choices are {', '.join(get_args(Variant))}")
    if channels < 1:
        raise SettingsError(f"channels is {channels}; it must be at least 1")
    if not 0 < anchor_scale < math.inf:
        raise SettingsError(f"anchor_scale is {anchor_scale}; it must be a number above 0")
    body = encoder(backbone, TAKES)
    maps = {name: body.channels[name] for name in TAKES}
    coarser = StridedMaps(maps["C5"], channels=channels, source=VARIANTS[variant].p6_from)
    pyramid = FeaturePyramid(maps, channels=channels, coarser=coarser)
    return RetinaNet(
        PyramidEncoder(body, fpn=pyramid),
        head=Head(channels, num_classes=num_classes),
        anchors=pyramid_anchors(pyramid.names, variant=variant, scale=anchor_scale),
        num_classes=num_classes,
        variant=variant,
    )


@dataclass(frozen=True, kw_only=True)
class RetinaNetLoss:
    """The options of RetinaNet's loss; ValueError for values that cannot work. None leaves one to the net's variant.

    alpha         weight of the class of an anchor, 0..1; the other classes weigh 1 - alpha
    gamma         how much well classified anchors are played down; 0 is cross-entropy
    box_weight    of the loss of the boxes
    box_beta      where the smooth L1 loss of a box passes from quadratic to linear; 0 is L1
    positive_iou  the overlap with a box from which an anchor is to find it
    negative_iou  the overlap below which it is background; between the two nothing is learned
    low_quality   each box also makes those anchors positive that overlap it most, however little
    """

    alpha: float = 0.25
    gamma: float = 2.0
    box_weight: float = 1.0
    box_beta: float | None = None
    positive_iou: float = 0.5
    negative_iou: float = 0.4
    low_quality: bool | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.alpha <= 1.0:
            raise ValueError(f"alpha must lie in 0..1, got {self.alpha}")
        for name in ("gamma", "box_weight"):
            require_factor(name, getattr(self, name))
        if self.box_beta is not None:
            require_factor("box_beta", self.box_beta)
        if not (0.0 <= self.negative_iou <= self.positive_iou <= 1.0 and self.positive_iou):
            raise ValueError(
                f"negative_iou {self.negative_iou} and positive_iou {self.positive_iou} must lie in 0..1, in this"
                " order, the second above 0"
            )


class RetinaNetDetector(OneStageDetector[RetinaNetLoss]):
    """The system of RetinaNet: focal loss over the anchors of all levels at once, and smooth L1 of those of a box."""

    loss_options: ClassVar[type] = RetinaNetLoss
    usual_suppression: ClassVar[Suppression] = Suppression(score=0.05, iou=0.5, most=100)
    coding = BoxCoding()

    net: RetinaNet

    def __init__(
        self, net: nn.Module, *, mean: Sequence[float], std: Sequence[float], options: RetinaNetLoss | None = None
    ) -> None:
        super().__init__(net, mean=mean, std=std, options=options)
        settings = cast(RetinaNet, net).settings
        self.suppression = replace(self.usual_suppression, most=settings.most)
        self.beta = settings.beta if self.options.box_beta is None else self.options.box_beta
        self.low_quality = settings.low_quality if self.options.low_quality is None else self.options.low_quality

    def losses_of(self, maps: RetinaNetMaps, truth: TrueBoxes, sides: tuple[int, int]) -> Losses:
        """Compute the focal loss of all anchors that are judged and the loss of the boxes of positive ones."""
        anchors = torch.cat([*self._anchors_of(maps, sides).values()])
        matches = self._matches(anchors, truth)
        weight, factors = self._weight(matches), self._factors(matches)
        levels = [per_anchor(level, self.net.num_classes) for level in maps.logits]
        judged = (matches.positive | matches.negative) * factors[:, None]
        classes = classes_of(matches, truth.labels)
        focal = focal_sum(levels, classes, judged, alpha=self.options.alpha, gamma=self.options.gamma)
        image, anchor = matches.positive.nonzero(as_tuple=True)
        deltas = torch.cat([per_anchor(level, 4) for level in maps.deltas], dim=1)[image, anchor]
        wanted = self.coding.encode(truth.boxes[image, matches.box[image, anchor]], anchors[anchor])
        of_box = F.smooth_l1_loss(fp32_or_more(deltas), wanted, beta=self.beta, reduction="none").sum(dim=1)
        boxes = self.options.box_weight * (of_box * factors[image]).sum()
        return Losses(terms={"focal": Term(focal, weight), "boxes": Term(boxes, weight)}, metrics={})

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the positive anchors, an image without any as one; with torchvision's variant the images."""
        if self.net.settings.per_image:
            weight = self.mean.new_tensor(len(batch.inputs.images))
        else:
            weight = self._weight(self._matches(self.anchors_of(batch), batch.targets))
        return {"focal": weight, "boxes": weight}

    def candidates(self, maps: RetinaNetMaps, sides: tuple[int, int]) -> Candidates:
        """The best 1,000 pairs of an anchor and a class of each level, those of all levels together."""
        anchors = self._anchors_of(maps, sides)
        levels = [
            self._of_level(per_anchor(logits, self.net.num_classes), per_anchor(deltas, 4), anchors[name])
            for name, logits, deltas in zip(anchors, *maps, strict=True)
        ]
        boxes, scores, labels = (torch.cat(parts, dim=1) for parts in zip(*levels, strict=True))
        return Candidates(clip(boxes, sides), scores, labels)

    def anchors(self, sides: tuple[int, int]) -> dict[str, Tensor]:
        """The anchors of an image of these sides, by the name of their map, (h * w * A, 4) pixels."""
        filled = filled_sides(sides, self.net.settings.multiple)
        return self.net.anchors.of(self.map_sizes(filled), filled, self.mean.device)

    def unmatched(self, boxes: Tensor, sides: tuple[int, int]) -> Tensor:
        """Flags of the true boxes (M, 4), each taken as alone, that no anchor would be trained to find, (M,) bool."""
        overlaps = largest_overlaps(boxes, torch.cat([*self.anchors(sides).values()]))
        return overlaps <= 0 if self.low_quality else overlaps < self.options.positive_iou

    def _anchors_of(self, maps: RetinaNetMaps, sides: tuple[int, int]) -> dict[str, Tensor]:
        levels = zip(self.net.anchors.cells, maps.logits, strict=True)
        sizes = {name: (level.shape[2], level.shape[3]) for name, level in levels}
        return self.net.anchors.of(sizes, filled_sides(sides, self.net.settings.multiple), maps.logits[0].device)

    def _of_level(self, logits: Tensor, deltas: Tensor, anchors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The best candidates of a level, of logits (N, A, K) and deltas (N, A, 4): boxes, scores and labels."""
        best, chosen, labels = best_pairs(logits, CANDIDATES)
        boxes = self.coding.decode(deltas.gather(1, chosen[..., None].expand(-1, -1, 4)), anchors[chosen])
        return boxes, fp32_or_more(best).sigmoid(), labels

    def _matches(self, anchors: Tensor, targets: TrueBoxes) -> Matches:
        """The matches of the anchors with the boxes of each image, (N, A)."""
        positive, negative = self.options.positive_iou, self.options.negative_iou
        return stacked(
            match(anchors, *image, positive=positive, negative=negative, low_quality=self.low_quality)
            for image in zip(*targets, strict=True)
        )

    def _weight(self, matches: Matches) -> Tensor:
        """The weight of both terms."""
        if self.net.settings.per_image:
            return self.mean.new_tensor(len(matches.positive))
        return positives(matches).sum().to(self.mean.dtype)

    def _factors(self, matches: Matches) -> Tensor:
        """The factor of the losses of each image, (N,): 1, or one over its positive anchors."""
        counts = positives(matches).to(self.mean.dtype)
        return 1 / counts if self.net.settings.per_image else torch.ones_like(counts)
