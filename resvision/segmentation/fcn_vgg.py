"""FCN-32s, 16s and 8s: Long, Shelhamer and Darrell 2015, https://arxiv.org/abs/1411.4038, on VGG-16 as released.

VGG-16 runs fully convolutionally over an image with 100 px of zeros around it, so that even an image of one pixel is
large enough. Transposed convolutions bring its scores to the stride of an earlier pooling, whose own scores are added,
and at last to that of the image. Scores are cropped to the image, since the padding makes them larger.

`features` and `classifier` have the names that VGG-16 has, whose weights they take; the layers of scores have those of
the released nets. Layers that a net shares with the next coarser one have the same names in both: see `new_parts`.

The paper starts with the weights of VGG-16. Without them all layers but the scores are drawn by He's rule: by Glorot's,
as our VGG-16 is, the signal at the scores is a thousandth of the image's, and they learn one map for all images.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from resvision.classification.vgg import HIDDEN, WINDOW, blocks, pools_of, widths_of
from resvision.core.errors import SettingsError
from resvision.layers.init import he_initialize_incoming
from resvision.segmentation.parts.upsampling import bilinear_kernel

Stride = Literal[32, 16, 8]
Deconvolution = Literal["fixed", "learned"]

COARSER: dict[Stride, Stride] = {16: 32, 8: 16}
PADDING = 100
OFFSETS = {"upscore32": 19, "score_pool4": 5, "upscore16": 27, "score_pool3": 9, "upscore8": 31}
"""Row and column at which the crop starts, by the layer whose output is cropped."""


class FCNVGG(nn.Module):
    """Scores at stride 32, to which those of pool4 (16s) and of pool3 (8s) are added, upsampled to the image."""

    auxiliary: tuple[str, ...] = ()

    def __init__(
        self,
        stride: Stride,
        *,
        num_classes: int,
        in_channels: int = 3,
        width: int = 64,
        deconvolution: Deconvolution = "fixed",
    ) -> None:
        super().__init__()
        self.stride = stride
        *_, pool3, pool4, pool5 = widths_of(width)
        hidden, fixed = HIDDEN * width, deconvolution == "fixed"
        self.features = blocks("D", in_channels=in_channels, width=width)
        first = self.features[0]
        assert isinstance(first, nn.Conv2d)
        first.padding = (PADDING, PADDING)
        self.pools = pools_of(self.features)
        for pool in self.pools:  # rounded up, as in Caffe
            self.features[pool] = nn.MaxPool2d(2, ceil_mode=True)
        self.classifier = nn.Sequential(
            nn.Conv2d(pool5, hidden, WINDOW),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
        )
        he_initialize_incoming(self)
        self.score_fr = score(hidden, num_classes)
        if stride <= 16:
            self.upscore2 = bilinear_deconvolution(num_classes, factor=2, fixed=fixed)
            self.score_pool4 = score(pool4, num_classes)
        if stride <= 8:
            self.upscore_pool4 = bilinear_deconvolution(num_classes, factor=2, fixed=fixed)
            self.score_pool3 = score(pool3, num_classes)
        self.add_module(f"upscore{stride}", bilinear_deconvolution(num_classes, factor=stride, fixed=True))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K, H, W) of images (N, C, H, W), of any size."""
        *_, pool3, pool4, pool5 = self.pooled(images)
        scores = self.score_fr(self.classifier(pool5))
        if self.stride <= 16:
            scores = self.upscore2(scores)
            scores = scores + cropped(self.score_pool4(pool4), scores, OFFSETS["score_pool4"])
        if self.stride <= 8:
            scores = self.upscore_pool4(scores)
            scores = scores + cropped(self.score_pool3(pool3), scores, OFFSETS["score_pool3"])
        last = f"upscore{self.stride}"
        return cropped(self.get_submodule(last)(scores), images, OFFSETS[last])

    def pooled(self, images: Tensor) -> list[Tensor]:
        """The results of the five poolings, shallow to deep; the fifth is the last of `features`."""
        x, maps = images, []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.pools:
                maps.append(x)
        return maps


def score(in_channels: int, num_classes: int) -> nn.Conv2d:
    """A 1x1 convolution to logits that starts at zero."""
    layer = nn.Conv2d(in_channels, num_classes, 1)
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer


def bilinear_deconvolution(num_classes: int, *, factor: int, fixed: bool) -> nn.ConvTranspose2d:
    """A transposed convolution over all pairs of classes that starts as each class's bilinear interpolation.

    A map of side n becomes one of side (n + 1) * factor; `fixed` ones are not trained.
    """
    layer = nn.ConvTranspose2d(num_classes, num_classes, 2 * factor, stride=factor, bias=False)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[range(num_classes), range(num_classes)] = bilinear_kernel(2 * factor)
    layer.weight.requires_grad_(not fixed)
    return layer


def cropped(maps: Tensor, like: Tensor, offset: int) -> Tensor:
    """The part of `maps` from row and column `offset` on that has the height and width of `like`, (N, C, H, W)."""
    height, width = like.shape[-2], like.shape[-1]
    return maps[..., offset : offset + height, offset : offset + width]


def new_parts(stride: Stride) -> tuple[str, ...]:
    """Names of the parts that 16s does not share with 32s, or 8s with 16s.

    They are `model.init_except` of a net that starts with the weights of the coarser one. Raises SettingsError for 32s,
    which starts with the weights of VGG-16.
    """
    if stride not in COARSER:
        raise SettingsError(f"stride {stride}: choices are 16, 8; 32s follows no coarser net")
    with torch.device("meta"):
        nets = [FCNVGG(variant, num_classes=2, width=1) for variant in (COARSER[stride], stride)]
    coarse, fine = (dict(net.named_children()) for net in nets)
    return tuple(name for name in (*coarse, *fine) if name not in coarse or name not in fine)


def fcn_vgg(
    stride: Stride,
    *,
    num_classes: int,
    in_channels: int = 3,
    width: int = 64,
    deconvolution: Deconvolution = "fixed",
) -> FCNVGG:
    """The net whose finest scores have this stride, 32, 16 or 8, with `width` maps in its first block.

    stride         stride of the finest scores
    width          channels of the first convolution, by which all others scale
    deconvolution  fixed: bilinear, as released; learned: those of factor 2 start bilinear and are trained, as in the
                   paper

    Raises SettingsError for another stride or deconvolution.
    """
    if stride not in get_args(Stride):
        raise SettingsError(f"stride {stride}: choices are {', '.join(map(str, get_args(Stride)))}")
    if deconvolution not in get_args(Deconvolution):
        raise SettingsError(f"deconvolution {deconvolution!r}: choices are {', '.join(get_args(Deconvolution))}")
    return FCNVGG(stride, num_classes=num_classes, in_channels=in_channels, width=width, deconvolution=deconvolution)
