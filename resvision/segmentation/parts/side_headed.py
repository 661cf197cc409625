"""Nets that are an encoder, a classifier of its deepest map and, if asked for, a side head on the map before it."""

from torch import Tensor, nn

from resvision.classification.stages import Stages
from resvision.segmentation.parts.encoder import deepest
from resvision.segmentation.parts.heads import fcn_head
from resvision.segmentation.parts.upsampling import resized

SIDE_HEAD = "aux_classifier"


class SideHeadedSegmenter(nn.Module):
    """An encoder, a classifier and an optional side head, as FCN, DeepLabv3 and PSPNet have them; abstract.

    Parameter names are torchvision's.

    backbone       the encoder
    classifier     makes logits, (N, K, h, w), of the encoder's deepest map
    aux            adds a side head on the map before the deepest, which only `all_logits` runs
    align_corners  of the interpolation of logits to the size of the images: see `resized`
    """

    def __init__(
        self,
        backbone: Stages,
        *,
        classifier: nn.Module,
        num_classes: int,
        aux: bool = False,
        align_corners: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier
        self.auxiliary: tuple[str, ...] = (SIDE_HEAD,) if aux else ()
        self.align_corners = align_corners
        if aux:
            self.aux_classifier = fcn_head([*backbone.channels.values()][-2], num_classes=num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, K, H, W) of images (N, C, H, W)."""
        maps = self.backbone(images)
        logits = self.classifier(deepest(maps))
        return resized(logits, images, align_corners=self.align_corners)

    def all_logits(self, images: Tensor) -> tuple[Tensor, ...]:
        """The logits of `forward`, then those of the side head if there is one; (N, K, H, W) each."""
        maps = [*self.backbone(images).values()]
        logits = [self.classifier(maps[-1])]
        if self.auxiliary:
            logits.append(self.aux_classifier(maps[-2]))
        return tuple(resized(scores, images, align_corners=self.align_corners) for scores in logits)


def maps_needed(aux: bool) -> int:
    """The least number of maps that an encoder must have, with or without a side head."""
    return 2 if aux else 1
