"""SPP-net: He et al. 2014, https://arxiv.org/abs/1406.4729, section 4.

The convolutions go over an image once; each region that selective search finds is a window of their last map, pooled
to a pyramid of bins, and goes through two hidden layers. What follows is R-CNN's: fine-tuning, linear SVMs on the last
features, ridge regression of boxes on the pooled ones. `resvision.recipes.detection.sppnet` has the stages.

The paper's net is ZF-5 with its own pyramid, fc6 and fc7; any net with stages will do. The released code maps the
corners of a window to the map otherwise than the paper's appendix; `cells_of` does as the code. The code never draws
two negatives of the same cells in its fine-tuning; here negatives are drawn from all.

Glossary
    N, C     images, channels of the map
    R        regions of all images, or some of them
    D, F     length of the last features, and of a pyramid, C times its bins
    regions  (R, 4), x1 y1 x2 y2 in continuous pixels
    cells    (R, 4) int64: first column and row of the map, and those behind the last
"""

from collections.abc import Mapping
from typing import ClassVar, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.stages import Stages, first_centres, up_to
from resvision.classification.zf5 import ZF5
from resvision.contracts import fp32_or_more
from resvision.core.errors import SettingsError
from resvision.detection.parts.classified_regions import ClassifiedRegionNet, RegionFeatures, Scores
from resvision.detection.parts.encoder import encoder, encoder_names
from resvision.detection.parts.region_classifier import RegionClassifier
from resvision.detection.parts.roi_head import BoxHead
from resvision.detection.parts.sampling import SamplingRules
from resvision.detection.parts.spatial_pyramid import BlockMaxima, WindowPyramid
from resvision.layers.spp import SpatialPyramidPooling

FeatureMap = Literal["C3", "C4", "C5"]

LEVELS = (6, 3, 2, 1)
PAPER_SHORTER_PX = 688
SCALES: Mapping[int, tuple[float, ...]] = {
    1: (1.0,),
    5: tuple(side / PAPER_SHORTER_PX for side in (480, 576, 688, 864, 1200)),
}
"""Scales of the images by their number, as shares of the view, which is meant to have the paper's single scale."""

INSET = 7 / 16
"""How far a corner is moved inwards before the nearest position of the map is taken, in strides: 7 pixels of ZF-5."""


class SPPNet(ClassifiedRegionNet):
    """Maps of whole images, a pyramid of each window, two hidden layers: figure 5.

    backbone      gives maps by name, the last of which is pooled
    head          fc6 and fc7
    scales        shares of the view at which images are looked at
    canonical_px  a window is taken from the scale that brings its area nearest to that of a square of this side; in
                  training it is taken from any
    of_encoder    the names, in the classification net below, of layers that come from it
    """

    def __init__(
        self,
        backbone: Stages,
        pyramid: WindowPyramid,
        head: BoxHead,
        *,
        num_classes: int,
        scales: tuple[float, ...] = (1.0,),
        canonical_px: int = 224,
        scores: Scores = "softmax",
        proposals: int = 2000,
        of_encoder: Mapping[str, str] | None = None,
    ) -> None:
        *_, self.map_name = backbone.channels
        channels = backbone.channels[self.map_name]
        super().__init__(
            last=head.hidden,
            pooled=channels * pyramid.bins,
            num_classes=num_classes,
            scores=scores,
            proposals=proposals,
        )
        self.backbone = backbone
        self.pyramid = pyramid
        self.head = head
        self.scales = scales
        self.canonical_px = canonical_px
        self.stride, self.first_px = backbone.stride[self.map_name], first_centres(backbone)[self.map_name]
        self.of_encoder = dict(of_encoder or {})

    def shared(self, images: Tensor) -> BlockMaxima:
        """The last maps of images (N, C, H, W) at each scale, as their maxima of blocks."""
        return self.pyramid.maxima([self.backbone(resized(images, scale))[self.map_name] for scale in self.scales])

    def features(self, shared: BlockMaxima, image: Tensor, regions: Tensor) -> RegionFeatures:
        """The features of the regions (R, 4) of the images (R,)."""
        regions = fp32_or_more(regions)
        number = self.drawn_scale(regions) if self.training else self.nearest_scale(regions)
        scaled = regions * regions.new_tensor(self.scales)[number, None]
        sides = image.new_tensor([(block.height, block.width) for block in shared.blocks])[number]
        cells = cells_of(scaled, sides, stride_px=self.stride, first_px=self.first_px)
        pooled = self.pyramid(shared, image, cells, number)
        return RegionFeatures(self.head(pooled), pooled)

    def nearest_scale(self, regions: Tensor) -> Tensor:
        """The number of the scale from which each region is taken, (R,) int64."""
        areas = (regions[:, 2:] - regions[:, :2]).clamp(min=0).prod(dim=1)
        at_scales = areas[:, None] * regions.new_tensor(self.scales).square()
        return (at_scales - self.canonical_px**2).abs().argmin(dim=1)

    def drawn_scale(self, regions: Tensor) -> Tensor:
        """The number of a scale for each region, (R,) int64, drawn as in the released code's fine-tuning."""
        return torch.randint(len(self.scales), (len(regions),), device=regions.device)

    def encoder_names(self) -> dict[str, str]:
        """The names that the weights of the classification net have in it, by the names here."""
        return encoder_names(self, {f"head.{own}": name for own, name in self.of_encoder.items()})


def sppnet(
    backbone: nn.Module,
    *,
    num_classes: int,
    features: FeatureMap = "C4",
    hidden: int = 4096,
    scales: int = 1,
    canonical_px: int = 224,
    dropout: float = 0.5,
    scores: Scores = "softmax",
    proposals: int = 2000,
) -> SPPNet:
    """The net over any backbone with the map that it needs; ZF-5 with a pyramid brings its own, fc6 and fc7 too.

    features      the map that windows are taken from
    hidden        width of fc6 and fc7 over other backbones
    scales        1, the view, or the paper's 5, from 0.7 to 1.74 times the view; larger ones are enlarged from it
    canonical_px  of several scales, a window is taken from that which brings its area nearest to this side squared
    dropout       after fc6 and fc7
    scores        "softmax" for fine-tuning, "svm" for the layers that are fitted afterwards
    proposals     the most regions of an image

    Raises MissingStageError for a backbone without this map, SettingsError for another choice or a side below 1.
    """
    if features not in get_args(FeatureMap):
        raise SettingsError(f"features {features!r}: choices are {', '.join(get_args(FeatureMap))}")
    if scales not in SCALES:
        raise SettingsError(f"scales {scales}: choices are {', '.join(map(str, SCALES))}")
    if canonical_px < 1:
        raise SettingsError(f"canonical_px is {canonical_px}; it must be at least 1")
    stages = up_to(encoder(backbone, [features]), features)
    pyramid, head, of_encoder = _pooled_and_hidden(backbone, stages.channels[features], hidden=hidden, dropout=dropout)
    return SPPNet(
        stages,
        pyramid,
        head,
        num_classes=num_classes,
        scales=SCALES[scales],
        canonical_px=canonical_px,
        scores=scores,
        proposals=proposals,
        of_encoder=of_encoder,
    )


class SPPNetDetector(RegionClassifier):
    """The paper's system: of 128 windows a quarter overlaps an object by 0.5, the others by 0.1 to 0.5."""

    rules: ClassVar[SamplingRules] = SamplingRules(
        count=128, positive_share=0.25, positive=0.5, negative=0.5, lowest_negative=0.1
    )
    stages: ClassVar[Mapping[str, str]] = {"backbone": "maps", "pyramid": "regions"}
    net: SPPNet


def resized(images: Tensor, scale: float) -> Tensor:
    """The images (N, C, H, W) at another scale; themselves at 1."""
    if scale == 1.0:
        return images
    return F.interpolate(images, scale_factor=scale, mode="bilinear", antialias=True)


def cells_of(regions: Tensor, sides: Tensor, *, stride_px: int, first_px: float) -> Tensor:
    """The windows of a map that regions (R, 4) become, cells (R, 4): one cell at least.

    sides     height and width of the map of each, (R, 2)
    first_px  where the first position of the map lies in the image, along both sides

    A corner is moved inwards by 7 / 16 strides, and the nearest position is taken: so a position belongs to a window
    that holds it, give or take a sixteenth of a stride. Where corners cross, the position between the two is taken;
    then they are brought back to the map. With `first_px` 20.5, these are the cells of the released code, whose 21 and
    6.5 stand for pixels that are counted from 1 and named by their centres.
    """
    positions = (regions - first_px) / stride_px
    first = (positions[:, :2] + INSET + 0.5).floor().long()
    last = (positions[:, 2:] - INSET - 0.5).ceil().long()
    between = (first + last) // 2
    crossed = first > last
    first, last = (torch.where(crossed, between, corner) for corner in (first, last))
    ends = sides.flip(1) - 1
    first, last = (torch.minimum(corner.clamp(min=0), ends) for corner in (first, last))
    return torch.cat([first, last + 1], dim=1)


def _pooled_and_hidden(
    backbone: nn.Module, channels: int, *, hidden: int, dropout: float
) -> tuple[WindowPyramid, BoxHead, dict[str, str]]:
    """The pyramid, fc6 and fc7, and the names of these in the backbone: its own where it has them."""
    if not (isinstance(backbone, ZF5) and isinstance(backbone.pool5, SpatialPyramidPooling)):
        pyramid = WindowPyramid(LEVELS)
        return pyramid, BoxHead(channels * pyramid.bins, hidden, dropout=dropout), {}
    pyramid = WindowPyramid(backbone.pool5.levels)
    fc7 = backbone.classifier.get_submodule("fc7")
    assert isinstance(fc7, nn.Linear), "as ZF-5 builds it"
    head = BoxHead(channels * pyramid.bins, fc7.out_features, dropout=dropout)
    names = {name: f"classifier.{name}" for name in ("fc6", "fc7")}
    for own, name in names.items():
        head.get_submodule(own).load_state_dict(backbone.get_submodule(name).state_dict())
    return pyramid, head, names
