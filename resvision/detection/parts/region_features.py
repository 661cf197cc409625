"""The maps of any backbone for a detector that looks at regions: a feature pyramid over them, or one of them.

Girshick 2015, https://arxiv.org/abs/1504.08083, has one map; Lin et al. 2017, https://arxiv.org/abs/1612.03144, section
4.2, put a pyramid below the same head.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from torch import nn

from resvision.classification.stages import up_to
from resvision.core.errors import SettingsError
from resvision.detection.parts.encoder import encoder
from resvision.detection.parts.pyramid import FeaturePyramid, PyramidEncoder, SubsampledMap

Features = Literal["pyramid", "C4", "C5"]
PYRAMID_OVER = ("C2", "C3", "C4", "C5")


class RegionBackbone(NamedTuple):
    """The module that gives maps by name, and the maps.

    backbone  from images (N, C, H, W) to maps by name
    names     of its maps, fine to coarse
    channels  of each
    strides   in pixels, by name, of those in which regions are looked at
    multiple  images have sides that are multiples of this many pixels
    """

    backbone: nn.Module
    names: tuple[str, ...]
    channels: int
    strides: Mapping[str, int]
    multiple: int


def region_features(backbone: nn.Module, features: Features, *, channels: int) -> RegionBackbone:
    """The maps over a copy of the backbone; `channels` are those of a pyramid.

    Raises MissingStageError for a backbone without the maps that are needed, SettingsError for another choice of
    `features`.
    """
    if features not in get_args(Features):
        raise SettingsError(f"features {features!r}: choices are {', '.join(get_args(Features))}")
    stages = encoder(backbone, PYRAMID_OVER if features == "pyramid" else [features])
    if features == "pyramid":
        taken = {name: stages.channels[name] for name in PYRAMID_OVER}
        pyramid = FeaturePyramid(taken, channels=channels, coarser=SubsampledMap())
        strides = {f"P{name[1:]}": stages.stride[name] for name in PYRAMID_OVER}
        multiple = stages.stride[[*stages.stride][-1]]
        return RegionBackbone(PyramidEncoder(stages, fpn=pyramid), tuple(pyramid.names), channels, strides, multiple)
    stages = up_to(stages, features)
    strides = {features: stages.stride[features]}
    return RegionBackbone(stages, (features,), stages.channels[features], strides, stages.stride[[*stages.stride][-1]])
