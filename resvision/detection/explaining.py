"""The score that an explanation of a detector is about: that of the best box about one object.

Glossary
    N images, B candidates of an image
    output  (N, B, 6), of each candidate its box x1 y1 x2 y2, its score and its label
"""

import torch
from torch import Tensor
from torchvision.ops import box_iou

from resvision.contracts import Images
from resvision.core.errors import DataError
from resvision.detection.batches import inputs_for
from resvision.detection.detector import Detector, ProposedImages
from resvision.tasks import ExplainedScore, Model, Question, Seen, images_of

SAME_OBJECT = 0.5
"""The overlap from which a candidate is about the object whose box is explained."""


@torch.no_grad()
def best_score(model: Model, system: Detector, seen: Seen, question: Question) -> ExplainedScore:
    """The score of the surest box, of the class and about all points of the question where it names them.

    Of another image it is the highest score of a box of this class that overlaps that one by half, 0 without any.
    Raises DataError where no candidate lies about the points.
    """
    height, width = seen.pixels.shape[:2]
    images = images_of(model, seen.pixels)
    regions = inputs_for(system, images, [seen])[1:]

    def candidates(images: Tensor) -> Tensor:
        of_each = (member.expand(len(images), *member.shape[1:]) for member in regions)
        inputs = ProposedImages(images, *of_each) if regions else Images(images)
        boxes, scores, labels = system.candidates(system.maps(inputs), (height, width))
        return torch.cat([boxes, scores[..., None], labels[..., None].to(scores)], dim=-1)

    boxes, scores, labels = _members(candidates(images)[0])
    asked = torch.ones_like(labels, dtype=torch.bool) if question.label is None else labels == question.label
    if question.points is not None:
        points = torch.from_numpy(question.points).to(boxes)
        is_about = (points >= boxes[:, None, :2]) & (points <= boxes[:, None, 2:])  # (B, M, 2)
        asked &= is_about.all(dim=2).all(dim=1)
    if not asked.any():
        raise DataError("no box of the class, however unsure, lies there; ask about another place or class")
    best = int(torch.where(asked, scores, -1.0).argmax())
    box, label = boxes[best], int(labels[best])

    def score(output: Tensor) -> Tensor:
        boxes, scores, labels = _members(output)
        overlaps = box_iou(boxes.detach().reshape(-1, 4), box[None]).reshape(labels.shape)
        return torch.where((labels == label) & (overlaps >= SAME_OBJECT), scores, 0.0).amax(dim=-1)

    name = model.classes[label]
    return ExplainedScore(
        images=images,
        border_px=0,
        net=candidates,
        score=score,
        label=name,
        words=f"score of the box of {name}",
        share=float(scores[best]),
        box=box.double().cpu().numpy(),
    )


def _members(output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (..., B, 4), scores and labels (..., B) of an output."""
    return output[..., :4], output[..., 4], output[..., 5].long()
