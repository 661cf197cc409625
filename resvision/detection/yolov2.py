"""YOLOv2: Redmon and Farhadi 2016, YOLO9000: Better, Faster, Stronger, https://arxiv.org/abs/1612.08242.

Darknet-19 without its classifier, three 3x3 convolutions, and a passthrough that joins the map of twice the resolution
to the last; each cell tells a box for each anchor. The paper says little of its loss: this is that of the released
code. Squares are halved, so that gradients are the code's.

Glossary
    N images, K classes, a anchors of a cell, A places of an image, P places that are to find a box
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.classifier import require_factor
from resvision.classification.darknet import ConvBlock, layers_in_order
from resvision.classification.stages import Stages
from resvision.contracts import Batch, Losses
from resvision.detection.detector import TrueBoxes
from resvision.detection.grid_detector import (
    STRIDE,
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
from resvision.detection.parts.matching import paired_overlaps
from resvision.detection.parts.reorg import Reorg
from resvision.layers.init import relu_initialize
from resvision.training.machine import rank_and_world

CHANNELS = 1024
"""Channels of the 3x3 convolutions, 64 for each four of the passthrough."""

IN_CELLS: dict[str, tuple[Shape, ...]] = {
    "voc": ((1.3221, 1.73145), (3.19275, 4.00944), (5.05587, 8.09892), (9.47112, 4.84053), (11.2364, 10.0071)),
    "coco": ((0.57273, 0.677385), (1.87446, 2.06253), (3.33843, 5.47434), (7.88282, 3.52778), (9.77052, 9.16828)),
}
"""The anchors of yolov2-voc.cfg and yolov2.cfg, which count in cells of 32 pixels."""

ANCHORS = {name: tuple((STRIDE * wide, STRIDE * high) for wide, high in shapes) for name, shapes in IN_CELLS.items()}
"""The same in pixels."""


class YOLOv2(GridNet):
    """An encoder, two convolutions on its last map, the passthrough from the map before, one convolution on both.

    seen  the number of images that the net was trained on, which Darknet's files of weights begin with, too
    """

    seen: Tensor

    def __init__(self, backbone: Stages, *, channels: int, shapes: Sequence[Shape], num_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.grids = CellGrids({"C5": shapes}, {"C5": backbone.stride["C5"]})
        self.num_classes = num_classes
        passed = 4 * max(1, channels // 64)
        # In the order of the cfg, which is that of the weights in Darknet's files.
        self.conv1 = ConvBlock(backbone.channels["C5"], channels, 3)
        self.conv2 = ConvBlock(channels, channels, 3)
        self.passthrough = ConvBlock(backbone.channels["C4"], passed, 1)
        self.reorg = Reorg()
        self.conv3 = ConvBlock(4 * passed + channels, channels, 3)
        self.last = nn.Conv2d(channels, len(shapes) * (5 + num_classes), 1)
        for part in (self.conv1, self.conv2, self.passthrough, self.conv3, self.last):
            relu_initialize(part, last=self.last)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, images: Tensor) -> GridMaps:
        """The raw map of normalized images (N, C, H, W)."""
        maps = self.encoded(images)
        coarse = self.conv2(self.conv1(maps["C5"]))
        fine = self.reorg(self.passthrough(maps["C4"]))
        x = self.conv3(torch.cat([fine, coarse], dim=1))
        return GridMaps((self.last(x),))

    def darknet_order(self) -> Sequence[nn.Module]:
        """The layers with weights in the order of yolov2.cfg."""
        return layers_in_order(self)


def yolov2(backbone: nn.Module, *, num_classes: int, channels: int | None = None, anchors: str = "voc") -> YOLOv2:
    """The net over Darknet-19, or over any net with maps C4 and C5.

    channels  of the 3x3 convolutions; None: as many as C5 has, 1,024 at most
    anchors   voc | coco: those of the released nets; or width and height of each in pixels, as '10,13 16,30', such as
              `resvision data anchors` finds for a set

    Raises MissingStageError for a backbone without the maps, SettingsError for other anchors.
    """
    shapes = read_shapes(anchors, ANCHORS)
    body = encoder(backbone, ("C4", "C5"))
    if channels is None:
        channels = min(CHANNELS, body.channels["C5"])
    return YOLOv2(body, channels=channels, shapes=shapes, num_classes=num_classes)


@dataclass(frozen=True, kw_only=True)
class YOLOv2Loss:
    """The options of YOLOv2's loss; ValueError for values that cannot work. Their defaults are those of the cfg.

    object_weight      of places that are to find a box, whose score becomes the overlap of their box with it
    background_weight  of places that are to find none
    box_weight         of centres and sides
    class_weight       of classes
    ignored_iou        a place that tells a box with more overlap with any true one is not background
    anchored_images    the first images of a training, in which every place without a box learns its anchor
    anchor_weight      of that
    """

    object_weight: float = 5.0
    background_weight: float = 1.0
    box_weight: float = 1.0
    class_weight: float = 1.0
    ignored_iou: float = 0.6
    anchored_images: int = 12_800
    anchor_weight: float = 0.01

    def __post_init__(self) -> None:
        for name in ("object_weight", "background_weight", "box_weight", "class_weight", "anchor_weight"):
            require_factor(name, getattr(self, name))
        if not 0.0 < self.ignored_iou <= 1.0:
            raise ValueError(f"ignored_iou must lie in 0..1, above 0, got {self.ignored_iou}")
        if self.anchored_images < 0:
            raise ValueError(f"anchored_images must be at least 0, got {self.anchored_images}")


class YOLOv2Detector(GridDetector[YOLOv2Loss]):
    """The system of YOLOv2: squares of scores and of boxes, and softmax cross-entropy of classes.

    The net counts the images that it was trained on in a buffer, which is kept with its weights: so a run that goes on
    and one that starts from trained weights both know whether anchors are still learned.
    """

    loss_options: ClassVar[type] = YOLOv2Loss
    stages: ClassVar[Mapping[str, str]] = {"backbone": "maps", "conv1": "heads"}
    terms = ("objects", "background", "boxes", "classes", "anchors")
    net: YOLOv2

    def losses(self, batch: Batch) -> Losses:
        """Compute the terms, and in training count the images of all processes."""
        losses = super().losses(batch)
        if self.training:
            self._count(len(batch.inputs.images))
        return losses

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _count(self, images: int) -> None:
        self.net.seen += images * rank_and_world()[1]

    def totals(self, assignment: Assignment, truth: TrueBoxes, sides: tuple[int, int]) -> dict[str, Tensor]:
        """The sum of each term over the batch."""
        options, (image, place, box) = self.options, assignment.owned
        predictions = assignment.predictions
        objectness = predictions[..., 4].sigmoid()
        true_boxes = truth.boxes[image, box]
        overlaps = paired_overlaps(assignment.boxes[image, place], true_boxes)
        labels = truth.labels[image, box]
        entropy = F.cross_entropy(predictions[image, place, 5:], labels, reduction="sum")
        return {
            "objects": options.object_weight * half_squares(objectness[image, place] - overlaps).sum(),
            "background": options.background_weight * half_squares(objectness[assignment.background]).sum(),
            "boxes": options.box_weight * self._of_boxes(assignment, true_boxes, sides),
            "classes": options.class_weight * entropy,
            "anchors": options.anchor_weight * self._of_anchors(assignment),
        }

    def class_scores(self, logits: Tensor) -> Tensor:
        """The probabilities of classes that shut each other out."""
        return logits.softmax(dim=-1)

    def _of_boxes(self, assignment: Assignment, true_boxes: Tensor, sides: tuple[int, int]) -> Tensor:
        """The sum over places with a box, of which small ones weigh up to twice as much as one that fills the image."""
        image, place, _ = assignment.owned
        raw = assignment.predictions[image, place, :4]
        wanted = assignment.cells.at(place).encode(true_boxes)
        told = torch.cat([raw[:, :2].sigmoid(), raw[:, 2:]], dim=1)
        return (small_box_weights(true_boxes, sides) * half_squares(told - wanted).sum(dim=1)).sum()

    def _of_anchors(self, assignment: Assignment) -> Tensor:
        """The sum over places without a box, which are to tell their anchors while the training is young."""
        raw = assignment.predictions[..., :4]
        shifts = half_squares(raw[..., :2].sigmoid() - 0.5).sum(dim=-1)
        growths = half_squares(raw[..., 2:]).sum(dim=-1)
        free = assignment.judged.clone()
        free[assignment.owned.image, assignment.owned.place] = False
        is_young = self.net.seen < self.options.anchored_images
        return ((shifts + growths) * free).sum() * is_young
