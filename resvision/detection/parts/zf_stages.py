"""ZF-5 as it looks at regions: Ren et al. 2015, arXiv:1506.01497, and He et al. 2014, arXiv:1406.4729.

Padded so that a position of the last map looks at what lies around its pixels, as in the released net of Faster R-CNN.
"""

from resvision.classification.stages import Map, Stages
from resvision.classification.zf5 import FULL_WIDTH, widths_of, zf_features
from resvision.detection.parts.roi_head import BoxHead, BoxPredictor, RegionHead
from resvision.detection.parts.roi_pooling import RoIMaxPool
from resvision.layers.init import relu_initialize
from resvision.layers.sizes import scaled

GRID = 6
OF_ZF5 = {"fc6": "classifier.fc6", "fc7": "classifier.fc7"}
"""The layers of the classification net by those of the box head that start with their weights."""

ENDS = {"norm1": "C1", "pool1": "C2", "norm2": "C3", "relu5": "C4"}


def zf_stages(*, in_channels: int, width: int) -> Stages:
    """The maps C1 to C4, of strides 2 to 16, with torch's own first weights; C4 is conv5.

    width  channels of the first convolution, by which all others scale
    """
    features = zf_features(in_channels=in_channels, width=width, centred=True)
    first, second, *_, last = widths_of(width)
    return Stages(
        {"features": features},
        steps={f"features.{name}": ENDS.get(name, "") for name, _ in features.named_children()},
        maps={"C1": Map(first, 2), "C2": Map(first, 4), "C3": Map(second, 8), "C4": Map(last, 16)},
    )


def zf_regions(*, num_classes: int, in_channels: int, width: int, dropout: float) -> tuple[Stages, RegionHead]:
    """The stages, and the head that looks at regions of C4, with weights for ReLU."""
    stages = zf_stages(in_channels=in_channels, width=width)
    hidden = scaled(4096, width=width, full=FULL_WIDTH)
    head = BoxHead(stages.channels["C4"] * GRID**2, hidden, dropout=dropout)
    for part in (stages, head):
        relu_initialize(part, last=part)
    predictor = BoxPredictor(hidden, num_classes=num_classes)
    return stages, RegionHead(RoIMaxPool("C4", 16, grid=GRID), head, predictor)
