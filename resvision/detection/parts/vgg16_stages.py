"""VGG-16 up to conv5_3 as the encoder of a detector that looks at regions: Ren et al. 2015, arXiv:1506.01497.

The poolings round up, as in Caffe, and the last gives way to the pooling of regions.
"""

from torch import nn

from resvision.classification.stages import Map, Stages
from resvision.classification.vgg import blocks, pools_of, widths_of


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
