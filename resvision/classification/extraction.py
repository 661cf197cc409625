"""The classifier under YOLO: Redmon et al. 2016, https://arxiv.org/abs/1506.02640, section 2.2. Darknet's "Extraction".

The first 20 convolutions of YOLO, an average over positions and one fully connected layer, trained on ImageNet at
224 px. The paper has no batch normalization; the released extraction.cfg has, and a convolution to the classes before
the average.
"""

from resvision.classification.darknet import ConvBlock, Darknet, Layer, pooled_stages, stages_in
from resvision.layers.sizes import scaled

FULL_WIDTH = 64

STAGES: tuple[tuple[Layer, ...], ...] = (
    ((3, 192),),
    ((1, 128), (3, 256), (1, 256), (3, 512)),
    (*(((1, 256), (3, 512)) * 4), (1, 512), (3, 1024)),
    ((1, 512), (3, 1024)) * 2,
)
"""Window and channels of the convolutions after each of the four poolings."""


def extraction(*, num_classes: int, in_channels: int = 3, width: int = FULL_WIDTH, batch_norm: bool = False) -> Darknet:
    """The net of 20 convolutions and one fully connected layer; the first convolution, 7x7, strides and has no pooling.

    width       channels of the first convolution, by which all others scale
    batch_norm  normalize after each convolution
    """
    first = ConvBlock(in_channels, width, 7, stride=2, batch_norm=batch_norm)
    pooled = pooled_stages(STAGES, width=width, full_width=FULL_WIDTH, batch_norm=batch_norm)
    channels = [scaled(convolutions[-1][1], width=width, full=FULL_WIDTH) for convolutions in STAGES]
    return Darknet(stages_in([first, *pooled]), channels=[width, *channels], num_classes=num_classes)
