"""YOLO: Redmon et al. 2016, You Only Look Once, https://arxiv.org/abs/1506.02640: one look, one grid, one loss.

Its nets are in `yolov1_nets`, its grid and the words that are used here in `yolov1_grid`.

Where the paper and the released code disagree
    sides       the paper's net gives w and h, and its loss compares their roots; the code's net gives the roots, so
                that no root of a number below 0 is taken. Here as in the code
    confidence  the target of a responsible box is its overlap with the truth, as in both
    gradient    the code follows half of that of the printed loss, which is the one here
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from resvision.classification.classifier import require_factor
from resvision.contracts import Batch, Losses, Term, fp32_or_more
from resvision.detection.detector import Candidates, TrueBoxes
from resvision.detection.one_stage import OneStageDetector
from resvision.detection.parts.box_coding import clip
from resvision.detection.yolov1_grid import YOLOv1Maps, cell_of, cell_truth, corners, in_image, responsible_boxes
from resvision.detection.yolov1_nets import YOLOv1
from resvision.kinds.detection.suppression import Suppression


@dataclass(frozen=True, kw_only=True)
class YOLOv1Loss:
    """The options of YOLO's loss; ValueError for values that cannot work.

    lambda_coord  the factor of the errors of centres and sides
    lambda_noobj  the factor of the confidences of boxes without an object
    """

    lambda_coord: float = 5.0
    lambda_noobj: float = 0.5

    def __post_init__(self) -> None:
        for name in ("lambda_coord", "lambda_noobj"):
            require_factor(name, getattr(self, name))


class YOLOv1Detector(OneStageDetector[YOLOv1Loss]):
    """The system of YOLO: the sum of five squared errors, divided by the number of images.

    1. An object belongs to the cell that its centre lies in.
    2. Responsible for it is the box of the cell that overlaps it most; if none does, the one that is nearest in x, y,
       w and h.
    3. `centres` and `sides` compare the responsible box with the object, `objects` its confidence with their overlap.
    4. `no_objects` compares all other confidences with 0, `classes` the classes of a cell with an object with its own.
    """

    loss_options: ClassVar[type] = YOLOv1Loss
    usual_suppression: ClassVar[Suppression] = Suppression(score=0.001, iou=0.5, most=200)

    net: YOLOv1

    def losses_of(self, maps: YOLOv1Maps, truth: TrueBoxes, sides: tuple[int, int]) -> Losses:
        """Compute the five errors; `error` is the share of cells with an object that are given another class."""
        classes, confidences, boxes = (fp32_or_more(map_).flatten(1, 2) for map_ in maps)
        cells = cell_truth(truth, sides, self.net.grid.cells, dtype=boxes.dtype)
        responsible, overlap = responsible_boxes(boxes.detach(), cells, self.net.grid.cells)
        errors = (boxes - cells.boxes[:, :, None]).square() * responsible[..., None]
        wanted = F.one_hot(cells.labels, self.net.num_classes)
        is_empty = cells.judged[..., None] & ~responsible
        totals = {
            "centres": self.options.lambda_coord * errors[..., :2].sum(),
            "sides": self.options.lambda_coord * errors[..., 2:].sum(),
            "objects": ((confidences - overlap).square() * responsible).sum(),
            "no_objects": self.options.lambda_noobj * (confidences.square() * is_empty).sum(),
            "classes": ((classes - wanted).square() * cells.has_object[..., None]).sum(),
        }
        images = boxes.new_tensor(len(boxes))
        wrong = cells.has_object & (classes.detach().argmax(dim=2) != cells.labels)
        return Losses(
            terms={name: Term(total, images) for name, total in totals.items()},
            metrics={"error": Term(wrong.sum(), cells.has_object.sum())},
        )

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the images."""
        images = self.mean.new_tensor(len(batch.ids))
        return dict.fromkeys(("centres", "sides", "objects", "no_objects", "classes"), images)

    def hidden(self, boxes: Tensor, sides: tuple[int, int]) -> Tensor:
        """Flags of the true boxes of one image (M, 4) whose cell an earlier one has, (M,) bool."""
        height, width = sides
        cells = self.net.grid.cells
        cell = cell_of(boxes / boxes.new_tensor([width, height, width, height]), cells)
        return (cell[:, None] == cell).tril(diagonal=-1).any(dim=1)

    def candidates(self, maps: YOLOv1Maps, sides: tuple[int, int]) -> Candidates:
        """Every box with every class, S * S * B * K of them; the score is class probability times confidence.

        Both come from a linear layer, and count as 0 below 0 and as 1 above 1.
        """
        classes, confidences, boxes = (fp32_or_more(map_).flatten(1, 2) for map_ in maps)
        height, width = sides
        pixels = corners(in_image(boxes, self.net.grid.cells)) * boxes.new_tensor([width, height, width, height])
        scores = classes.clamp(0, 1)[:, :, None] * confidences.clamp(0, 1)[..., None]  # (N, S * S, B, K)
        labels = torch.arange(self.net.num_classes, device=scores.device).expand(scores.shape)
        each = pixels[:, :, :, None].expand(*scores.shape, 4)
        return Candidates(clip(each.flatten(1, 3), sides), scores.flatten(1), labels.flatten(1))
