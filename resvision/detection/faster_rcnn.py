"""Faster R-CNN: Ren et al. 2015, https://arxiv.org/abs/1506.01497, trained jointly.

One net proposes regions and looks at each. `faster_rcnn_vgg16` is the paper's, `faster_rcnn` is torchvision's over any
backbone, under a feature pyramid or on one map; what the two decide otherwise is in `parts/region_rules.py`. In both, a
loss is the mean over what was drawn in an image, and then over images, as in the code of the paper, whose equation 1
divides offsets by some 2,400 positions and makes up for it by a factor of 10. Boxes are continuous here, so that widths
are x2 - x1 where the paper's code has x2 - x1 + 1.

Glossary
    N, K, A  images, classes without the background, anchors of all maps
    P        proposals of an image, always as many
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from resvision.classification.classifier import require_factor
from resvision.contracts import Batch, Losses
from resvision.core.errors import SettingsError
from resvision.detection.detector import Candidates, Detector, TrueBoxes
from resvision.detection.parts.anchors import AnchorGrids, cornered_cells, scaled_cells
from resvision.detection.parts.box_coding import clip
from resvision.detection.parts.encoder import encoder_names
from resvision.detection.parts.filling import filled_sides, filled_up
from resvision.detection.parts.matching import largest_overlaps
from resvision.detection.parts.proposals import (
    AnchorMaps,
    ProposalHead,
    ProposalRules,
    Proposals,
    RegionProposalNetwork,
    propose,
)
from resvision.detection.parts.region_features import Features, region_features
from resvision.detection.parts.region_rules import PAPER, TORCHVISION, RegionRules, with_proposals
from resvision.detection.parts.roi_head import BoxHead, BoxPredictor, RegionHead, RegionMaps, best_pairs
from resvision.detection.parts.roi_pooling import RoIAlign
from resvision.detection.parts.sampled_losses import (
    ANCHOR_TERMS,
    REGION_TERMS,
    anchor_terms,
    region_errors,
    region_terms,
)
from resvision.detection.parts.sampling import Drawn, draw, with_true_boxes
from resvision.detection.parts.vgg16_stages import OF_VGG16, vgg16_regions

GRID = 7


class FasterRCNNMaps(NamedTuple):
    """The raw maps of the anchors, the proposals made of them, and the raw maps of the proposals.

    objectness     (N, A) logits
    anchor_deltas  (N, A, 4), offsets from the anchors
    proposals      (N, P, 4) float32 pixels, clipped to the image; zeros where there is none
    valid          (N, P) bool: False where there is none
    logits         (N, P, K + 1), the background first
    deltas         (N, P, K + 1, 4), offsets from the proposals for each class
    """

    objectness: Tensor
    anchor_deltas: Tensor
    proposals: Tensor
    valid: Tensor
    logits: Tensor
    deltas: Tensor


class FasterRCNN(nn.Module):
    """Maps, proposals from the maps, and logits and offsets of each proposal: figure 2.

    backbone    gives maps by name
    anchors     on which of the maps, and of which shapes
    multiple    zeros fill the right and lower edge of images up to a multiple of this many pixels
    of_encoder  the names, in the classification net below, of layers of the head that come from it
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        anchors: AnchorGrids,
        rpn: RegionProposalNetwork,
        roi_heads: RegionHead,
        rules: RegionRules,
        multiple: int = 1,
        of_encoder: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.anchors = anchors
        self.rpn = rpn
        self.roi_heads = roi_heads
        self.rules = rules
        self.multiple = multiple
        self.of_encoder = dict(of_encoder or {})

    def forward(self, images: Tensor) -> FasterRCNNMaps:
        """The raw maps of images (N, C, H, W), by the rules for testing, in training mode too."""
        maps, anchor_maps, anchors = self.anchored(images)
        proposals = self.proposals(anchor_maps, anchors, images, self.rules.testing)
        return FasterRCNNMaps(*anchor_maps, *proposals, *self.roi_heads(maps, proposals.boxes))

    def encoder_names(self) -> dict[str, str]:
        """The names that the weights of the classification net have in it, by the names here."""
        return encoder_names(self, {f"roi_heads.box_head.{own}": name for own, name in self.of_encoder.items()})

    def anchored(self, images: Tensor) -> tuple[dict[str, Tensor], AnchorMaps, dict[str, Tensor]]:
        """The maps by name, the raw maps of the anchors, and the anchors by the name of their map."""
        images = filled_up(images, self.multiple)
        maps = self.backbone(images)
        sizes = {name: (pixels.shape[2], pixels.shape[3]) for name, pixels in maps.items()}
        anchors = self.anchors.of(sizes, (images.shape[2], images.shape[3]), images.device)
        return maps, self.rpn([maps[name] for name in anchors]), anchors

    def proposals(
        self, anchor_maps: AnchorMaps, anchors: Mapping[str, Tensor], images: Tensor, rules: ProposalRules
    ) -> Proposals:
        """The proposals of images, without gradient."""
        return propose(anchor_maps, anchors, (images.shape[2], images.shape[3]), rules)


def faster_rcnn(
    backbone: nn.Module,
    *,
    num_classes: int,
    features: Features = "pyramid",
    channels: int = 256,
    hidden: int = 1024,
    proposals: int = 1000,
    smallest_anchor_px: int = 32,
) -> FasterRCNN:
    """The net over any backbone with the maps that it needs; as torchvision has it over ResNet-50.

    features            a pyramid over C2 to C5, or one map
    channels            of the pyramid, and of the convolution of the proposal network
    hidden              width of the two layers that look at a region
    proposals           of an image, in prediction; in training they are twice as many, of which some are drawn. Small
                        images need fewer, which takes less time
    smallest_anchor_px  side of the smallest square anchor; four more double it, one on each map of the pyramid

    Raises MissingStageError for a backbone without these maps, SettingsError for another choice of `features` and a
    number or side below 1.
    """
    sizes = squares(smallest_anchor_px, 5)
    maps = region_features(backbone, features, channels=channels)
    # Each map of a pyramid has anchors of one size, a map alone has those of all.
    cells = {name: partial(cornered_cells, sizes[at :: len(maps.names)]) for at, name in enumerate(maps.names)}
    return FasterRCNN(
        maps.backbone,
        anchors=AnchorGrids(cells),
        rpn=RegionProposalNetwork(ProposalHead(maps.channels, 15 // len(cells), channels=channels)),
        roi_heads=RegionHead(
            RoIAlign(maps.strides, grid=GRID),
            BoxHead(maps.channels * GRID**2, hidden),
            BoxPredictor(hidden, num_classes=num_classes),
        ),
        rules=with_proposals(TORCHVISION, proposals),
        multiple=maps.multiple,
    )


def faster_rcnn_vgg16(
    *,
    num_classes: int,
    in_channels: int = 3,
    width: int = 64,
    proposals: int = 300,
    smallest_anchor_px: int = 128,
    dropout: float = 0.5,
) -> FasterRCNN:
    """The paper's net on VGG-16: RoI max pooling of conv5_3, and VGG's fc6 and fc7 as head.

    width               channels of the first convolution, by which all others scale
    proposals           of an image, in prediction; in training they are 20/3 times as many
    smallest_anchor_px  side of the smallest square anchor; two more double it. The shorter side of a proposal is at
                        least an eighth of it
    dropout             after fc6 and fc7

    Raises SettingsError for a number or a side below 1.
    """
    least_px = smallest_anchor_px / 8
    rules = with_proposals(PAPER, proposals)
    rules = replace(
        rules,
        training=replace(rules.training, smallest_px=least_px),
        testing=replace(rules.testing, smallest_px=least_px),
    )
    stages, roi_heads = vgg16_regions(num_classes=num_classes, in_channels=in_channels, width=width, dropout=dropout)
    channels = stages.channels["C4"]
    cells = partial(scaled_cells, [side / 16 for side in squares(smallest_anchor_px, 3)])
    return FasterRCNN(
        stages,
        anchors=AnchorGrids({"C4": cells}, strides={"C4": 16}),
        rpn=RegionProposalNetwork(ProposalHead(channels, 9, channels=channels, logits=2)),
        roi_heads=roi_heads,
        rules=rules,
        of_encoder=OF_VGG16,
    )


def squares(smallest_px: int, count: int) -> list[int]:
    """Sides that double, from the smallest on; SettingsError for one below 1."""
    if smallest_px < 1:
        raise SettingsError(f"smallest_anchor_px is {smallest_px}; it must be at least 1")
    return [smallest_px * 2**k for k in range(count)]


@dataclass(frozen=True, kw_only=True)
class FasterRCNNLoss:
    """The options of the loss of Faster R-CNN; ValueError for values that cannot work.

    anchor_box_weight  of the offsets from anchors
    box_weight         of the offsets from regions
    regions            that are drawn in an image; None: 128 in the paper's net, 512 in torchvision's
    """

    anchor_box_weight: float = 1.0
    box_weight: float = 1.0
    regions: int | None = None

    def __post_init__(self) -> None:
        for name in ("anchor_box_weight", "box_weight"):
            require_factor(name, getattr(self, name))
        if self.regions is not None and self.regions < 4:
            raise ValueError(f"regions must be at least 4, of which 1 may show an object, got {self.regions}")


class FasterRCNNDetector(Detector):
    """Joint training: four terms, two of anchors and two of regions, each a mean over what is drawn in an image.

    1. Anchors are matched with the true boxes; of 256 at most half are positive.
    2. Proposals, and the true boxes themselves, are matched; of `regions` at most a quarter are positive.
    3. Objectness and classes are learned from all that are drawn, offsets from positive ones.

    Each image weighs the same, also where less could be drawn in it than the rules say.
    """

    loss_options: ClassVar[type] = FasterRCNNLoss
    stages: ClassVar[Mapping[str, str]] = {"backbone": "maps", "rpn": "proposals", "roi_heads": "regions"}
    net: FasterRCNN

    def __init__(
        self,
        net: FasterRCNN,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        options: FasterRCNNLoss | None = None,
    ) -> None:
        super().__init__(net, mean=mean, std=std, suppression=net.rules.suppression)
        options = options or FasterRCNNLoss()
        self.anchor_box_weight, self.box_weight = options.anchor_box_weight, options.box_weight
        rules = net.rules
        count = rules.regions.count if options.regions is None else options.regions
        self.rules = replace(rules, regions=replace(rules.regions, count=count))

    def losses(self, batch: Batch) -> Losses:
        """Compute the four terms; `error` is the share of regions whose most probable class is wrong."""
        images = self.normalized(batch.inputs.images)
        losses: Losses = self._losses_of(*self.net.anchored(images), images, batch.targets)
        return losses

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _losses_of(
        self,
        maps: dict[str, Tensor],
        anchor_maps: AnchorMaps,
        anchors: dict[str, Tensor],
        images: Tensor,
        truth: TrueBoxes,
    ) -> Losses:
        # Not compiled: the numbers of true boxes and proposals are others in every step, and each would make a graph.
        rules = self.rules
        drawn = self._drawn_anchors(torch.cat([*anchors.values()]), truth, (images.shape[2], images.shape[3]))
        regions = self._drawn_regions(self.net.proposals(anchor_maps, anchors, images, rules.training), truth)
        region_maps = self.net.roi_heads(maps, regions.references)
        wanted = rules.coding.encode(regions.boxes, regions.references)
        terms = {
            **anchor_terms(anchor_maps, drawn, beta=rules.anchor_beta, box_weight=self.anchor_box_weight),
            **region_terms(region_maps, regions, wanted, beta=rules.beta, box_weight=self.box_weight),
        }
        return Losses(terms=terms, metrics={"error": region_errors(region_maps, regions)})

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the images for each term."""
        return dict.fromkeys((*ANCHOR_TERMS, *REGION_TERMS), self.mean.new_tensor(float(len(batch.inputs.images))))

    def candidates(self, maps: FasterRCNNMaps, sides: tuple[int, int]) -> Candidates:
        """The pairs of a proposal and a class of highest probability."""
        regions = RegionMaps(maps.logits, maps.deltas)
        return Candidates(*best_pairs(regions, maps.proposals, maps.valid, self.rules.coding, sides))

    def anchors(self, sides: tuple[int, int]) -> dict[str, Tensor]:
        """The anchors of an image of these sides, by the name of their map."""
        filled = filled_sides(sides, self.net.multiple)
        return self.net.anchors.of(self.map_sizes(filled), filled, self.mean.device)

    def unmatched(self, boxes: Tensor, sides: tuple[int, int]) -> Tensor:
        """Flags of the true boxes (M, 4) that overlap no anchor at all: of any other, the best anchor is positive."""
        anchors = torch.cat([*self.anchors(sides).values()])
        return largest_overlaps(boxes, anchors[self._usable(anchors, sides)]) == 0

    def _usable(self, anchors: Tensor, sides: tuple[int, int]) -> Tensor:
        """Whether something is learned from each anchor (A, 4), (A,) bool."""
        if not self.rules.whole_anchors:
            return torch.ones(len(anchors), dtype=torch.bool, device=anchors.device)
        return (clip(anchors, sides) == anchors).all(dim=-1)

    def _drawn_anchors(self, anchors: Tensor, truth: TrueBoxes, sides: tuple[int, int]) -> Drawn:
        """The anchors from which the proposal network learns."""
        images = len(truth.labels)
        usable = self._usable(anchors, sides).expand(images, -1)
        return draw(anchors.expand(images, -1, -1), usable, *truth, self.rules.anchors)

    def _drawn_regions(self, proposals: Proposals, truth: TrueBoxes) -> Drawn:
        """The proposals and true boxes from which the head learns."""
        return draw(*with_true_boxes(*proposals, *truth), *truth, self.rules.regions)
