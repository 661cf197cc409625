"""torchvision's published detectors: how they are shown images, what their logits stand for, how their norms compute.

torchvision resizes inside its nets, so that its table does not say it, and as tensors, without antialiasing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from resvision.core.views import ShorterSide, Stretch, View
from resvision.training.checkpoints import State

EPSILON = 1e-5
"""What our batch normalization adds to a variance."""

GAP = "N/A"
"""torchvision's name of an id that COCO leaves out; ours say which id it is, since classes have different names."""


class Detector(NamedTuple):
    """A published detector.

    view         how images are shown to the net
    first        the first of the file's categories that the net has a class for: ours have none for the background
    frozen_eps   what the frozen normalizations of the file add to a variance; None where the net has none
    """

    view: View
    first: int
    frozen_eps: float | None


_PHOTOS = ShorterSide(
    channels=3,
    interpolation="bilinear-aliased",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    shorter_px=800,
    longest_px=1333,
)
_SQUARES = Stretch(
    channels=3,
    interpolation="bilinear-aliased",
    mean=(0.48235, 0.45882, 0.40784),
    std=(1 / 255, 1 / 255, 1 / 255),
    resize_px=300,
    crop_px=300,
)
DETECTORS = {
    # Both were trained by a frozen normalization that added nothing; later versions add 1e-5 but for these files.
    "fasterrcnn_resnet50_fpn": Detector(_PHOTOS, first=1, frozen_eps=0.0),
    "retinanet_resnet50_fpn": Detector(_PHOTOS, first=0, frozen_eps=0.0),
    "ssd300_vgg16": Detector(_SQUARES, first=1, frozen_eps=None),
}


def class_names(categories: Sequence[str], first: int) -> tuple[str, ...]:
    """The names of a net's classes, of the file's categories by COCO's ids, from the `first` on."""
    return tuple(f"{GAP} {number}" if name == GAP else name for number, name in enumerate(categories))[first:]


def with_epsilon(state: State, frozen_eps: float) -> State:
    """The weights with which normalizations that add EPSILON compute as frozen ones do that add `frozen_eps`."""
    changed = dict(state)
    for name in [name for name in state if name.endswith(".running_var")]:
        scale = f"{name.removesuffix('running_var')}weight"
        variance = state[name].double()
        least = torch.finfo(torch.float32).tiny
        factor = ((variance + EPSILON) / (variance + frozen_eps).clamp(min=least)).sqrt()
        changed[scale] = (state[scale].double() * factor).to(state[scale].dtype)
    return changed
