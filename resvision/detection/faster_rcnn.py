"""Faster R-CNN: Ren et al. 2015, https://arxiv.org/abs/1506.01497, trained jointly or in four steps.

One net proposes regions and looks at each; `faster_rcnn_nets` has those of the paper and of torchvision. In all, a
loss is the mean over what was drawn in an image, and then over images, as in the code of the paper, whose equation 1
divides offsets by some 2,400 positions and makes up for it by a factor of 10. Boxes are continuous here, so that widths
are x2 - x1 where the paper's code has x2 - x1 + 1.

Glossary
    N, K, A  images, classes without the background, anchors of all maps
    P        proposals of an image, always as many
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from resvision.classification.classifier import require_factor
from resvision.contracts import Batch, Images, Losses, Term
from resvision.core.errors import SettingsError
from resvision.detection.detector import (
    Candidates,
    Detector,
    ProposedImages,
    ProposingNet,
    TrueBoxes,
    given_proposals,
    is_region,
)
from resvision.detection.parts.anchors import AnchorGrids
from resvision.detection.parts.box_coding import clip
from resvision.detection.parts.encoder import encoder_names
from resvision.detection.parts.filling import filled_sides, filled_up
from resvision.detection.parts.matching import largest_overlaps
from resvision.detection.parts.proposals import (
    AnchorMaps,
    ProposalRules,
    Proposals,
    RegionProposalNetwork,
    propose,
)
from resvision.detection.parts.region_rules import RegionRules
from resvision.detection.parts.roi_head import RegionHead, RegionMaps, best_pairs
from resvision.detection.parts.sampled_losses import (
    ANCHOR_TERMS,
    REGION_TERMS,
    anchor_errors,
    anchor_terms,
    region_errors,
    region_terms,
)
from resvision.detection.parts.sampling import Drawn, draw, with_true_boxes
from resvision.training.freezing import freeze

Part = Literal["both", "proposals", "regions"]
TERMS: dict[Part, tuple[str, ...]] = {
    "both": (*ANCHOR_TERMS, *REGION_TERMS),
    "proposals": ANCHOR_TERMS,
    "regions": REGION_TERMS,
}


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


class Anchored(NamedTuple):
    """The raw maps of the anchors, and the anchors by the name of their map, (A of the map, 4)."""

    maps: AnchorMaps
    anchors: Mapping[str, Tensor]


class FasterRCNN(ProposingNet):
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
        self.most_proposals = rules.training.after

    def forward(self, images: Tensor, proposals: Tensor | None = None) -> FasterRCNNMaps:
        """The raw maps of images (N, C, H, W), by the rules for testing, in training mode too.

        proposals  (N, P, 4), regions that are looked at in place of its own
        """
        maps = self.maps(images)
        anchored = self.anchored(maps, images)
        own = self.chosen(anchored, images, self.rules.testing) if proposals is None else self.given(proposals)
        return FasterRCNNMaps(*anchored.maps, *own, *self.roi_heads(maps, own.boxes))

    def encoder_names(self) -> dict[str, str]:
        """The names that the weights of the classification net have in it, by the names here."""
        return encoder_names(self, {f"roi_heads.box_head.{own}": name for own, name in self.of_encoder.items()})

    def maps(self, images: Tensor) -> dict[str, Tensor]:
        """The maps of images by name."""
        maps: dict[str, Tensor] = self.backbone(filled_up(images, self.multiple))
        return maps

    def anchored(self, maps: Mapping[str, Tensor], images: Tensor) -> Anchored:
        """The anchors of the images' maps, with their raw maps."""
        sizes = {name: (pixels.shape[2], pixels.shape[3]) for name, pixels in maps.items()}
        filled = filled_sides((images.shape[2], images.shape[3]), self.multiple)
        anchors = self.anchors.of(sizes, filled, images.device)
        return Anchored(self.rpn([maps[name] for name in anchors]), anchors)

    def chosen(self, anchored: Anchored, images: Tensor, rules: ProposalRules) -> Proposals:
        """The proposals of images, without gradient."""
        return propose(*anchored, (images.shape[2], images.shape[3]), rules)

    def given(self, proposals: Tensor) -> Proposals:
        """Regions (N, P, 4) that are given, as proposals."""
        proposals = proposals[:, : self.most_proposals]
        return Proposals(proposals, is_region(proposals))

    def proposed(self, images: Tensor, *, to_train: bool, before: int | None = None) -> Tensor:
        """The regions that it proposes in images (N, C, H, W), best first, (N, P, 4)."""
        rules = self.rules.training if to_train else self.rules.testing
        rules = replace(rules, before=before or rules.before)
        return self.chosen(self.anchored(self.maps(images), images), images, rules).boxes


@dataclass(frozen=True, kw_only=True)
class FasterRCNNLoss:
    """The options of the loss of Faster R-CNN; ValueError for values that cannot work.

    anchor_box_weight  of the offsets from anchors
    box_weight         of the offsets from regions
    regions            that are drawn in an image; None: 128 in the paper's net, 512 in torchvision's
    lowest_background  the overlap with an object from which a region is learned as background, up to 0.5: 0.1 in Fast
                       R-CNN
    train              what is trained: the network that proposes regions, the head that looks at them, or both. The
                       other is frozen
    train_maps         whether the maps are trained, which both share
    """

    anchor_box_weight: float = 1.0
    box_weight: float = 1.0
    regions: int | None = None
    lowest_background: float = 0.0
    train: Part = "both"
    train_maps: bool = True

    def __post_init__(self) -> None:
        for name in ("anchor_box_weight", "box_weight"):
            require_factor(name, getattr(self, name))
        if self.regions is not None and self.regions < 4:
            raise ValueError(f"regions must be at least 4, of which 1 may show an object, got {self.regions}")
        if not 0 <= self.lowest_background < 0.5:
            raise ValueError(f"lowest_background must lie in 0..0.5, got {self.lowest_background}")


class FasterRCNNDetector(Detector):
    """Four terms, two of anchors and two of regions, each a mean over what is drawn in an image.

    1. Anchors are matched with the true boxes; of 256 at most half are positive.
    2. Proposals, and the true boxes themselves, are matched; of `regions` at most a quarter are positive.
    3. Objectness and classes are learned from all that are drawn, offsets from positive ones.

    Each image weighs the same, also where less could be drawn in it than the rules say. All is trained together, or in
    turn by `train`. Regions that are given take the place of the proposals.
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
        self.trained = options.train
        rules = net.rules
        count = rules.regions.count if options.regions is None else options.regions
        regions = replace(rules.regions, count=count, lowest_negative=options.lowest_background)
        self.rules = replace(rules, regions=regions)
        untrained: dict[Part, list[nn.Module]] = {"both": [], "proposals": [net.roi_heads], "regions": [net.rpn]}
        frozen = [*untrained[options.train], *([] if options.train_maps else [net.backbone])]
        if frozen:
            freeze(self, frozen)

    def maps(self, inputs: Images | ProposedImages) -> FasterRCNNMaps:
        """The raw maps that the net gives for uint8 images, and their proposals where some are given."""
        maps: FasterRCNNMaps = self.net(self.normalized(inputs.images), given_proposals(inputs))
        return maps

    def losses(self, batch: Batch) -> Losses:
        """Compute the terms of what is trained; `error` is the share of regions, or anchors, whose class is wrong."""
        images, given = self.normalized(batch.inputs.images), given_proposals(batch.inputs)
        if given is not None and self.trained != "regions":
            raise SettingsError("data.proposals: goes with loss.train=regions; leave it out, or train these alone")
        maps = self.net.maps(images)
        source = self.net.anchored(maps, images) if given is None else given
        losses: Losses = self._losses_of(maps, source, images, batch.targets)
        return losses

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _losses_of(
        self, maps: dict[str, Tensor], source: Anchored | Tensor, images: Tensor, truth: TrueBoxes
    ) -> Losses:
        """The losses of maps and their anchors, or of regions (N, P, 4) that are given."""
        # Not compiled: the numbers of true boxes and proposals are others in every step, and each would make a graph.
        of_anchors: dict[str, Term] = {}
        if isinstance(source, Anchored) and self.trained != "regions":
            of_anchors, error = self._of_anchors(source, (images.shape[2], images.shape[3]), truth)
            if self.trained == "proposals":
                return Losses(terms=of_anchors, metrics={"error": error})
        if isinstance(source, Tensor):
            proposals = self.net.given(source)
        else:
            proposals = self.net.chosen(source, images, self.rules.training)
        of_regions, error = self._of_regions(maps, proposals, truth)
        return Losses(terms={**of_anchors, **of_regions}, metrics={"error": error})

    def _of_anchors(self, anchored: Anchored, sides: tuple[int, int], truth: TrueBoxes) -> tuple[dict[str, Term], Term]:
        """The terms of the anchors, and how many of them are taken for what they are not."""
        drawn = self._drawn_anchors(torch.cat([*anchored.anchors.values()]), truth, sides)
        maps, rules = anchored.maps, self.rules
        terms = anchor_terms(maps, drawn, beta=rules.anchor_beta, box_weight=self.anchor_box_weight)
        return terms, anchor_errors(maps, drawn)

    def _of_regions(
        self, maps: dict[str, Tensor], proposals: Proposals, truth: TrueBoxes
    ) -> tuple[dict[str, Term], Term]:
        """The terms of the regions, and how many of them are taken for what they are not."""
        drawn, rules = self._drawn_regions(proposals, truth), self.rules
        wanted = rules.coding.encode(drawn.boxes, drawn.references)
        region_maps = self.net.roi_heads(maps, drawn.references)
        terms = region_terms(region_maps, drawn, wanted, beta=rules.beta, box_weight=self.box_weight)
        return terms, region_errors(region_maps, drawn)

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the images for each term."""
        return dict.fromkeys(TERMS[self.trained], self.mean.new_tensor(float(len(batch.inputs.images))))

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
