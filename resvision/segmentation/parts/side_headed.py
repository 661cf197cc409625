"""Nets that are an encoder, a classifier of its deepest map and, if asked for, a side head on the map before it."""

from torch import Tensor, nn

from resvision.classification.stages import Stages
from resvision.segmentation.parts.heads import fcn_head
from resvision.segmentation.parts.upsampling import resized

SIDE_HEAD = "aux_classifier"


class SideHeadedSegmenter(nn.Module):
    """What FCN, DeepLabv3 and PSPNet share; abstract. Parameter names are torchvision's.

    backbone    the encoder
    classifier  makes logits, (N, K, h, w), of its deepest map
    aux         with a side head on the map before the deepest, which only `all_logits` runs
    corners     how logits become as large as the images: see `resized`
    """

    def __init__(
        self, backbone: Stages, *, classifier: nn.Module, num_classes: int, aux: bool = False, corners: bool = True
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.auxiliary: tuple[str, ...] = (SIDE_HEAD,) if aux else ()
        self.corners = corners
        if aux:
            self.aux_classifier = fcn_head([*backbone.channels.values()][-2], num_classes=num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K, H, W) of images (N, C, H, W)."""
        deepest = [*self.backbone(images).values()][-1]
        return resized(self.classifier(deepest), images, corners=self.corners)

    def all_logits(self, images: Tensor) -> tuple[Tensor, ...]:
        """Those of `forward`, then those of the side head if there is one; (N, K, H, W) each."""
        maps = [*self.backbone(images).values()]
        logits = [self.classifier(maps[-1])]
        logits += [self.aux_classifier(maps[-2])] if self.auxiliary else []
        return tuple(resized(each, images, corners=self.corners) for each in logits)


def maps_needed(aux: bool) -> int:
    """How many maps an encoder must have."""
    return 2 if aux else 1
