"""The nets of Faster R-CNN: Ren et al. 2015, https://arxiv.org/abs/1506.01497, on VGG-16 and ZF-5, and torchvision's.

`faster_rcnn` is torchvision's over any backbone, under a feature pyramid or on one map. What the two decide otherwise
is in `parts/region_rules.py`.
"""

from dataclasses import replace
from functools import partial

from torch import nn

from resvision.classification.stages import Stages
from resvision.core.errors import SettingsError
from resvision.detection.faster_rcnn import FasterRCNN
from resvision.detection.parts.anchors import AnchorGrids, cornered_cells, scaled_cells
from resvision.detection.parts.proposals import ProposalHead, RegionProposalNetwork
from resvision.detection.parts.region_features import Features, region_features
from resvision.detection.parts.region_rules import PAPER, TORCHVISION, with_proposals
from resvision.detection.parts.roi_head import BoxHead, BoxPredictor, RegionHead
from resvision.detection.parts.roi_pooling import RoIAlign
from resvision.detection.parts.vgg16_stages import OF_VGG16, vgg16_regions
from resvision.detection.parts.zf_stages import OF_ZF5, zf_regions

GRID = 7


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
    stages, head = vgg16_regions(num_classes=num_classes, in_channels=in_channels, width=width, dropout=dropout)
    return _papers(stages, head, proposals, smallest_anchor_px, of_encoder=OF_VGG16)


def faster_rcnn_zf(
    *,
    num_classes: int,
    in_channels: int = 3,
    width: int = 96,
    proposals: int = 300,
    smallest_anchor_px: int = 128,
    dropout: float = 0.5,
) -> FasterRCNN:
    """The paper's net on ZF-5, with its fc6 and fc7 as head.

    width               channels of the first convolution, by which all others scale
    proposals           of an image, in prediction; in training they are 20/3 times as many
    smallest_anchor_px  side of the smallest square anchor; two more double it. The shorter side of a proposal is at
                        least an eighth of it
    dropout             after fc6 and fc7

    Raises SettingsError for a number or a side below 1.
    """
    stages, head = zf_regions(num_classes=num_classes, in_channels=in_channels, width=width, dropout=dropout)
    return _papers(stages, head, proposals, smallest_anchor_px, of_encoder=OF_ZF5)


def _papers(
    stages: Stages, roi_heads: RegionHead, proposals: int, smallest_anchor_px: int, *, of_encoder: dict[str, str]
) -> FasterRCNN:
    """The paper's net on the map C4 of an encoder: nine anchors at each position, two logits each."""
    least_px = smallest_anchor_px / 8
    rules = with_proposals(PAPER, proposals)
    rules = replace(
        rules,
        training=replace(rules.training, smallest_px=least_px),
        testing=replace(rules.testing, smallest_px=least_px),
    )
    channels = stages.channels["C4"]
    cells = partial(scaled_cells, [side / 16 for side in squares(smallest_anchor_px, 3)])
    return FasterRCNN(
        stages,
        anchors=AnchorGrids({"C4": cells}, strides={"C4": 16}),
        rpn=RegionProposalNetwork(ProposalHead(channels, 9, channels=channels, logits=2)),
        roi_heads=roi_heads,
        rules=rules,
        of_encoder=of_encoder,
    )


def squares(smallest_px: int, count: int) -> list[int]:
    """Sides that double, from the smallest on; SettingsError for one below 1."""
    if smallest_px < 1:
        raise SettingsError(f"smallest_anchor_px is {smallest_px}; it must be at least 1")
    return [smallest_px * 2**k for k in range(count)]
