"""The choices of detectors that look at regions: those of the papers' code, and of torchvision."""

from dataclasses import dataclass, replace

from resvision.core.errors import SettingsError
from resvision.detection.parts.box_coding import BoxCoding
from resvision.detection.parts.proposals import ProposalRules
from resvision.detection.parts.sampling import SamplingRules
from resvision.kinds.detection.suppression import Suppression


@dataclass(frozen=True, kw_only=True)
class RegionRules:
    """The rules by which anchors become proposals, and proposals detections.

    training, testing  which boxes become proposals
    anchors, regions   which of them are positive, and how many a step learns from in an image
    whole_anchors      nothing is learned from anchors that cross the edge of the image
    coding             weights of the offsets from regions
    anchor_beta, beta  where the smooth L1 loss of an offset turns from square to straight, for anchors and for regions;
                       1 / sigma^2 in the paper's code
    suppression        how candidates become detections
    """

    training: ProposalRules
    testing: ProposalRules
    anchors: SamplingRules
    regions: SamplingRules
    whole_anchors: bool
    coding: BoxCoding
    anchor_beta: float
    beta: float
    suppression: Suppression


_ANCHORS = SamplingRules(count=256, positive_share=0.5, positive=0.7, negative=0.3, low_quality=True)
PAPER = RegionRules(
    # The code's 16 px are pixels of the photo before it is resized, which a net does not know.
    training=ProposalRules(before=12_000, after=2_000, smallest_px=16),
    testing=ProposalRules(before=6_000, after=300, smallest_px=16),
    anchors=_ANCHORS,
    regions=SamplingRules(count=128, positive_share=0.25, positive=0.5, negative=0.5),
    whole_anchors=True,
    coding=BoxCoding(10, 10, 5, 5),
    anchor_beta=1 / 9,
    beta=1.0,
    suppression=Suppression(score=0.05, iou=0.3, most=100),
)
TORCHVISION = RegionRules(
    training=ProposalRules(before=2_000, after=2_000, smallest_px=1e-3),
    testing=ProposalRules(before=1_000, after=1_000, smallest_px=1e-3),
    anchors=_ANCHORS,
    regions=SamplingRules(count=512, positive_share=0.25, positive=0.5, negative=0.5),
    whole_anchors=False,
    coding=BoxCoding(10, 10, 5, 5),
    anchor_beta=1 / 9,
    beta=1 / 9,
    suppression=Suppression(score=0.05, iou=0.5, most=100),
)


@dataclass(frozen=True, kw_only=True)
class HeadRules:
    """The rules by which given regions become detections; the names are those of RegionRules."""

    regions: SamplingRules
    beta: float
    suppression: Suppression


FAST = HeadRules(
    regions=SamplingRules(count=64, positive_share=0.25, positive=0.5, negative=0.5, lowest_negative=0.1),
    beta=1.0,
    suppression=Suppression(score=0.05, iou=0.3, most=100),
)
"""The rules of the Fast R-CNN paper."""


def with_proposals(rules: RegionRules, count: int) -> RegionRules:
    """The rules with `count` proposals in prediction; the other numbers of proposals grow and shrink in proportion.

    Raises SettingsError for a count below 1.
    """
    if count < 1:
        raise SettingsError(f"proposals is {count}; it must be at least 1")
    usual = rules.testing.after

    def scaled(part: ProposalRules) -> ProposalRules:
        return replace(part, before=-(-part.before * count // usual), after=-(-part.after * count // usual))

    return replace(rules, training=scaled(rules.training), testing=scaled(rules.testing))
