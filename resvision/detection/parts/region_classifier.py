"""The system of a net that classifies each region by itself: R-CNN's and SPP-net's fine-tuning, and their boxes.

Girshick et al. 2014, https://arxiv.org/abs/1311.2524, section 2.3 and appendices B and C.

Glossary
    N, P, K  images, regions of each image, classes without the background
    W        windows that a step learns from, over all images of the batch
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from resvision.contracts import Batch, Losses, Term, fp32_or_more
from resvision.detection.detector import (
    Candidates,
    RegionDetector,
    TrueBoxes,
    given_proposals,
    is_region,
    whole_images,
)
from resvision.detection.parts.box_coding import BoxCoding
from resvision.detection.parts.classified_regions import ClassifiedRegionNet, ClassifiedRegions
from resvision.detection.parts.roi_head import best_boxes
from resvision.detection.parts.sampling import DrawnTogether, SamplingRules, draw_together, with_true_boxes
from resvision.kinds.detection.suppression import Suppression

CODING = BoxCoding()

SUPPRESSION = Suppression(score=0.05, iou=0.3, most=100)
"""The papers' overlap, and at most 100 boxes. They set no least score; a margin of -2.9 is 0.05."""


@dataclass(frozen=True, kw_only=True)
class RegionClassifierLoss:
    """The options of fine-tuning; ValueError for values that cannot work.

    windows  that are drawn for each image of a batch: of all images together, a quarter of them show objects. The paper
             takes 128 a batch, so 64 for batches of two images
    """

    windows: int = 64

    def __post_init__(self) -> None:
        if self.windows < 4:
            raise ValueError(f"windows must be at least 4, of which 1 may show an object, got {self.windows}")


class RegionClassifier(RegionDetector):
    """Fine-tuning of the classifier, and boxes of classified regions. Abstract: a paper's system has its `rules`.

    1. Regions and true boxes are matched with the true boxes; windows are drawn from all images of the batch together.
    2. The net learns the classes of these windows, the background among them, by cross-entropy.
    3. In prediction each region has a score for each class. With SVMs it is the logistic function of the margin, which
       keeps their order: 0.5 on the plane that parts the class from the rest.
    4. Regions are moved by the regression of their class and cut off at the image's edges; then boxes suppress others.
       Scores stay those of the regions.
    """

    loss_options: ClassVar[type] = RegionClassifierLoss
    rules: ClassVar[SamplingRules]
    net: ClassifiedRegionNet

    def __init__(
        self,
        net: ClassifiedRegionNet,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        options: RegionClassifierLoss | None = None,
    ) -> None:
        super().__init__(net, mean=mean, std=std, suppression=SUPPRESSION)
        self.windows = (options or RegionClassifierLoss()).windows

    def losses(self, batch: Batch) -> Losses:
        """Compute the cross-entropy of the windows; `error` is the share whose most probable class is wrong."""
        images = self.normalized(batch.inputs.images)
        drawn = self._drawn(images, batch)
        logits = fp32_or_more(self.net.logits(images, drawn.image, drawn.references))
        of_each = F.cross_entropy(logits, drawn.labels, reduction="none")
        counted = drawn.counted.to(of_each.dtype)
        # The mean over the windows, times the images: a batch weighs what its images do, however few could be drawn.
        weight = self.mean.new_tensor(float(len(images)))
        total = weight * (of_each * counted).sum() / counted.sum().clamp(min=1)
        wrong = (logits.detach().argmax(dim=1) != drawn.labels) & drawn.counted
        return Losses(terms={"class": Term(total, weight)}, metrics={"error": Term(wrong.sum(), counted.sum())})

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the images."""
        return {"class": self.mean.new_tensor(float(len(batch.inputs.images)))}

    def candidates(self, maps: ClassifiedRegions, sides: tuple[int, int]) -> Candidates:
        """The pairs of a region and a class of highest score."""
        logits = fp32_or_more(maps.logits)
        scores = logits.sigmoid() if self.net.scores == "svm" else logits.softmax(dim=-1)[..., 1:]
        boxes, scores, labels = best_boxes(
            scores * is_region(maps.proposals)[..., None], maps.deltas, maps.proposals, CODING, sides
        )
        return Candidates(boxes, scores, labels)

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _drawn(self, images: Tensor, batch: Batch) -> DrawnTogether:
        # Not compiled: the number of true boxes is another in every step, and each would make a graph.
        given = given_proposals(batch.inputs)
        proposals = whole_images(images) if given is None else given
        truth: TrueBoxes = batch.targets
        references, usable = with_true_boxes(proposals, is_region(proposals), *truth)
        rules = replace(self.rules, count=self.windows * len(images))
        return draw_together(references, usable, *truth, rules)
