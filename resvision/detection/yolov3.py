"""YOLOv3: Redmon and Farhadi 2018, https://arxiv.org/abs/1804.02767: boxes at three scales over Darknet-53.

The paper says that coordinates have squared errors; this is the loss of the released code, whose gradients of centres
are those of cross-entropy. There a class that any box of a place has is its class, so that it may have several.

Glossary
    N images, K classes, a anchors of a cell of a map, A places of an image, P places that are to find a box
    scale  the convolutions at one map of the encoder; the coarsest comes first
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.classifier import require_factor
from resvision.classification.darknet import ConvBlock, layers_in_order
from resvision.classification.stages import Stages
from resvision.detection.detector import TrueBoxes
from resvision.detection.grid_detector import (
    Assignment,
    GridDetector,
    GridMaps,
    GridNet,
    half_squares,
    small_box_weights,
)
from resvision.detection.parts.anchor_shapes import Shape, read_shapes
from resvision.detection.parts.cell_grids import CellGrids
from resvision.detection.parts.encoder import encoder
from resvision.detection.parts.owned_places import all_classes
from resvision.layers.init import relu_initialize
from resvision.layers.pooling import CeilMaxPool2d

CHANNELS = 1024
"""Channels of the 3x3 convolutions of the coarsest scale; each finer one has half of them."""

ANCHORS: dict[str, tuple[Shape, ...]] = {
    "coco": ((10, 13), (16, 30), (33, 23), (30, 61), (62, 45), (59, 119), (116, 90), (156, 198), (373, 326))
}
"""The anchors of yolov3.cfg in pixels, the smallest first; the last three are those of the coarsest scale."""

TINY_ANCHORS: dict[str, tuple[Shape, ...]] = {"coco": ((10, 14), (23, 27), (37, 58), (81, 82), (135, 169), (344, 319))}
"""The anchors of yolov3-tiny.cfg."""

PRIOR = 0.01
"""The probability of an object that a new net gives each place.

The released code starts at even odds, which thousands of small steps at its start take away: its places are some ten
thousand, and few of them have an object. RetinaNet's paper, https://arxiv.org/abs/1708.02002, has the remedy.
"""


class Scale(nn.Module):
    """The convolutions at one map: those that the next finer scale goes on from, and those that tell boxes.

    anchors  of a cell
    depth    convolutions of the first kind, 1x1 and 3x3 in turn
    coarser  channels of what comes from the scale before; None for the first
    """

    def __init__(
        self, entering: int, *, channels: int, anchors: int, num_classes: int, depth: int, coarser: int | None
    ) -> None:
        super().__init__()
        half = max(1, channels // 2)
        # In the order of the cfg, which is that of the weights in Darknet's files.
        self.lateral = None if coarser is None else ConvBlock(coarser, half, 1)
        joined = entering if coarser is None else half + entering
        sizes = [joined, *(half if number % 2 == 0 else channels for number in range(depth))]
        self.body = nn.Sequential(
            *(ConvBlock(sizes[number], sizes[number + 1], 1 if number % 2 == 0 else 3) for number in range(depth))
        )
        self.conv = ConvBlock(sizes[-1], channels, 3)
        self.last = nn.Conv2d(channels, anchors * (5 + num_classes), 1)
        self.channels = sizes[-1]
        relu_initialize(self, last=self.last)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias.data.view(anchors, -1)[:, 4], -math.log((1 - PRIOR) / PRIOR))

    def forward(self, x: Tensor, coarser: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The map after `body` and the raw results; the coarser scale is joined where there is one.

        x        (N, entering, h, w)
        coarser  the first result of the scale before, (N, coarser, h / 2, w / 2)
        """
        if self.lateral is not None and coarser is not None:
            upsampled = F.interpolate(self.lateral(coarser), scale_factor=2.0, mode="nearest")
            x = torch.cat([upsampled, x], dim=1)
        body = self.body(x)
        return body, self.last(self.conv(body))


class YOLOv3(GridNet):
    """An encoder, and a scale at each of its last maps, the coarsest first, which each finer one joins.

    maps   names of the maps, the coarsest first, with the depth of the scale at each
    shapes  of all anchors, the smallest first, shared evenly by the maps
    """

    def __init__(
        self,
        backbone: Stages,
        *,
        maps: Mapping[str, int],
        channels: int,
        shapes: Sequence[Shape],
        num_classes: int,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        each = len(shapes) // len(maps)
        by_map = {name: shapes[len(shapes) - (rank + 1) * each :][:each] for rank, name in enumerate(maps)}
        self.grids = CellGrids(by_map, {name: backbone.stride[name] for name in maps})
        self.num_classes = num_classes
        scales: list[Scale] = []
        for rank, (name, depth) in enumerate(maps.items()):
            coarser = scales[-1].channels if scales else None
            scales.append(
                Scale(
                    backbone.channels[name],
                    channels=max(2, channels >> rank),
                    anchors=each,
                    num_classes=num_classes,
                    depth=depth,
                    coarser=coarser,
                )
            )
        self.scales = nn.ModuleList(scales)

    def forward(self, images: Tensor) -> GridMaps:
        """The raw maps of normalized images (N, C, H, W), coarse to fine."""
        maps = self.encoded(images)
        results, body = [], None
        for name, scale in zip(self.grids.shapes, self.scales, strict=True):
            body, result = scale(maps[name], body)
            results.append(result)
        return GridMaps(tuple(results))

    def darknet_order(self) -> Sequence[nn.Module]:
        """The layers with weights in the order of yolov3.cfg, or of yolov3-tiny.cfg."""
        return layers_in_order(self)


class TinyDarknet(nn.Module):
    """The encoder of yolov3-tiny.cfg: seven 3x3 convolutions with poolings between, the last of stride 1.

    width  channels of the first convolution
    """

    def __init__(self, *, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = ConvBlock(in_channels, width, 3)
        self.stage1 = nn.Sequential(CeilMaxPool2d(2, stride=2), ConvBlock(width, 2 * width, 3))
        self.stage2 = nn.Sequential(CeilMaxPool2d(2, stride=2), ConvBlock(2 * width, 4 * width, 3))
        self.stage3 = nn.Sequential(CeilMaxPool2d(2, stride=2), ConvBlock(4 * width, 8 * width, 3))
        self.stage4 = nn.Sequential(CeilMaxPool2d(2, stride=2), ConvBlock(8 * width, 16 * width, 3))
        self.stage5 = nn.Sequential(
            CeilMaxPool2d(2, stride=2),
            ConvBlock(16 * width, 32 * width, 3),
            nn.ConstantPad2d((0, 1, 0, 1), -math.inf),  # the window of the pooling hangs over the far edge
            nn.MaxPool2d(2, stride=1),
            ConvBlock(32 * width, 64 * width, 3),
        )
        self.channels = [2 * width, 4 * width, 8 * width, 16 * width, 64 * width]
        relu_initialize(self, last=self)

    def forward(self, images: Tensor) -> Tensor:
        """The last map of normalized images (N, C, H, W), (N, 64 * width, H / 32, W / 32)."""
        x = self.stage2(self.stage1(self.conv1(images)))
        last: Tensor = self.stage5(self.stage4(self.stage3(x)))
        return last

    def stage_ends(self) -> dict[str, int]:
        """The children after which `stages` takes C1 to C5, with their channels."""
        return {f"stage{number}": channels for number, channels in enumerate(self.channels, start=1)}


def yolov3(backbone: nn.Module, *, num_classes: int, channels: int | None = None, anchors: str = "coco") -> YOLOv3:
    """The net over Darknet-53, or over any net with maps C3, C4 and C5.

    channels  of the 3x3 convolutions at C5, halved at each finer map; None: as many as C5 has, 1,024 at most
    anchors   coco: those of the released net; or width and height of each in pixels, as '10,13 16,30 33,23', the
              smallest first and as many for each of the three maps, such as `resvision data anchors` finds for a set

    Raises MissingStageError for a backbone without the maps, SettingsError for other anchors.
    """
    shapes = read_shapes(anchors, ANCHORS, maps=3)
    maps = {"C5": 5, "C4": 5, "C3": 5}
    body = encoder(backbone, [*maps])
    if channels is None:
        channels = min(CHANNELS, body.channels["C5"])
    return YOLOv3(body, maps=maps, channels=channels, shapes=shapes, num_classes=num_classes)


def yolov3_tiny(*, num_classes: int, in_channels: int = 3, width: int = 16, anchors: str = "coco") -> YOLOv3:
    """The net of yolov3-tiny.cfg, with an encoder of seven convolutions and two scales.

    width    channels of the first convolution, by which all others scale
    anchors  coco: those of the released net; or width and height of each in pixels, as '10,13 16,30', the smallest
             first and as many for each of the two maps, such as `resvision data anchors` finds for a set

    Raises SettingsError for other anchors.
    """
    shapes = read_shapes(anchors, TINY_ANCHORS, maps=2)
    maps = {"C5": 1, "C4": 0}
    body = encoder(TinyDarknet(in_channels=in_channels, width=width), [*maps])
    return YOLOv3(body, maps=maps, channels=32 * width, shapes=shapes, num_classes=num_classes)


@dataclass(frozen=True, kw_only=True)
class YOLOv3Loss:
    """The options of YOLOv3's loss; ValueError for values that cannot work. Their defaults are those of the cfg.

    object_weight      of places that are to find a box
    background_weight  of places that are to find none
    box_weight         of centres and sides
    class_weight       of classes
    ignored_iou        a place that tells a box with more overlap with any true one is not background
    """

    object_weight: float = 1.0
    background_weight: float = 1.0
    box_weight: float = 1.0
    class_weight: float = 1.0
    ignored_iou: float = 0.7

    def __post_init__(self) -> None:
        for name in ("object_weight", "background_weight", "box_weight", "class_weight"):
            require_factor(name, getattr(self, name))
        if not 0.0 < self.ignored_iou <= 1.0:
            raise ValueError(f"ignored_iou must lie in 0..1, above 0, got {self.ignored_iou}")


class YOLOv3Detector(GridDetector[YOLOv3Loss]):
    """The system of YOLOv3: cross-entropy of objects, of centres and of each class, squares of logarithms of sides."""

    loss_options: ClassVar[type] = YOLOv3Loss
    stages: ClassVar[Mapping[str, str]] = {"backbone": "maps", "scales.0": "heads"}
    terms = ("objects", "background", "boxes", "classes")
    net: YOLOv3

    def totals(self, assignment: Assignment, truth: TrueBoxes, sides: tuple[int, int]) -> dict[str, Tensor]:
        """The sum of each term over the batch."""
        options, (image, place, box) = self.options, assignment.owned
        predictions = assignment.predictions
        own, logits = predictions[image, place], predictions[..., 4]
        classes = all_classes(
            assignment.owned, assignment.asked, truth.labels, assignment.is_object, self.net.num_classes
        )
        of_boxes = self._of_boxes(own[:, :4], assignment.cells.at(place).encode(truth.boxes[image, box]))
        weights = small_box_weights(truth.boxes[image, box], sides)
        return {
            "objects": options.object_weight * F.softplus(-own[:, 4]).sum(),
            "background": options.background_weight * F.softplus(logits[assignment.background]).sum(),
            "boxes": options.box_weight * (weights * of_boxes).sum(),
            "classes": options.class_weight * _cross_entropy(own[:, 5:], classes).sum(),
        }

    def class_scores(self, logits: Tensor) -> Tensor:
        """The probabilities of classes, each for itself."""
        return logits.sigmoid()

    @staticmethod
    def _of_boxes(raw: Tensor, wanted: Tensor) -> Tensor:
        """The loss of raw numbers (P, 4), (P,), of centres in their cells and logarithms of growth."""
        # The code takes the difference of centres for the gradient of the raw number, without the sigmoid's own
        # derivative: that is cross-entropy.
        return _cross_entropy(raw[:, :2], wanted[:, :2]).sum(dim=1) + half_squares(raw[:, 2:] - wanted[:, 2:]).sum(
            dim=1
        )


def _cross_entropy(logits: Tensor, wanted: Tensor) -> Tensor:
    """The binary cross-entropy of each logit."""
    return F.binary_cross_entropy_with_logits(logits, wanted.to(logits), reduction="none")
