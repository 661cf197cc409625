"""VGG-16 as it looks at regions: Girshick 2015, arXiv:1504.08083, and Ren et al. 2015, arXiv:1506.01497.

The poolings round up, as in Caffe. The last gives way to the pooling of regions, from which fc6 and fc7 go on.
"""

from torch import nn

from resvision.classification.stages import Map, Stages
from resvision.classification.vgg import HIDDEN, blocks, pools_of, widths_of
from resvision.detection.parts.roi_head import BoxHead, BoxPredictor, RegionHead
from resvision.detection.parts.roi_pooling import RoIMaxPool
from resvision.layers.init import relu_initialize

GRID = 7
OF_VGG16 = {"fc6": "classifier.0", "fc7": "classifier.3"}
"""The layers of the classification net by those of the box head that start with their weights."""


def vgg16_stages(*, in_channels: int, width: int) -> Stages:
    """The maps C1 to C4, of strides 2 to 16, with torch's own first weights; C4 is conv5_3.

    width  channels of the first convolution, by which all others scale
    """
    features = blocks("D", in_channels=in_channels, width=width)[:-1]
    pools = pools_of(features)
    for pool in pools:
        features[pool] = nn.MaxPool2d(2, ceil_mode=True)
    # A map is what lies before the pooling to the next; that of stride 1 is not named.
    ends = {f"features.{end}": f"C{k}" for k, end in enumerate([*(pool - 1 for pool in pools), len(features) - 1]) if k}
    widths = widths_of(width)
    return Stages(
        {"features": features},
        steps={f"features.{i}": ends.get(f"features.{i}", "") for i in range(len(features))},
        maps={f"C{k}": Map(widths[k], 2**k) for k in range(1, 5)},
    )


def vgg16_regions(
    *,
    num_classes: int,
    in_channels: int,
    width: int,
    dropout: float,
    ranks: tuple[int | None, int | None] = (None, None),
) -> tuple[Stages, RegionHead]:
    """The stages, and the head that looks at regions of C4 as both papers have it, with weights for ReLU.

    ranks  of fc6 and fc7 after a truncated SVD; None leaves a layer whole
    """
    stages = vgg16_stages(in_channels=in_channels, width=width)
    hidden = HIDDEN * width
    head = BoxHead(stages.channels["C4"] * GRID**2, hidden, dropout=dropout, ranks=ranks)
    for part in (stages, head):
        relu_initialize(part, last=part)
    predictor = BoxPredictor(hidden, num_classes=num_classes)
    return stages, RegionHead(RoIMaxPool("C4", 16, grid=GRID), head, predictor)
