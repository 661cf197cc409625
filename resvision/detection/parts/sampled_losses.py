"""Losses of the anchors and regions that were drawn in an image.

Girshick 2015, https://arxiv.org/abs/1504.08083, section 2.3, and Ren et al. 2015, https://arxiv.org/abs/1506.01497,
section 3.1.2. Each is a mean over what was drawn in an image, summed over the images: so an image weighs the same where
less could be drawn in it than was asked for, and what a batch is divided by follows from its images alone.

Glossary
    N, S, K  images, places of a sample, classes without the background
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from resvision.contracts import Term, fp32_or_more
from resvision.detection.parts.proposals import ANCHOR_CODING, AnchorMaps
from resvision.detection.parts.roi_head import RegionMaps
from resvision.detection.parts.sampling import Drawn, at

ANCHOR_TERMS = ("objectness", "anchor_box")
REGION_TERMS = ("class", "box")


def anchor_terms(maps: AnchorMaps, drawn: Drawn, *, beta: float, box_weight: float) -> dict[str, Term]:
    """The terms of the anchors that were drawn among all: of their objectness and of their offsets."""
    logits = fp32_or_more(maps.objectness.gather(1, drawn.places))
    objects = (drawn.labels > 0).to(logits.dtype)
    objectness = F.binary_cross_entropy_with_logits(logits, objects, reduction="none")
    wanted = ANCHOR_CODING.encode(drawn.boxes, drawn.references)
    offsets = offset_losses(at(maps.deltas, drawn.places), wanted, drawn, beta=beta)
    return {"objectness": mean_of_drawn(objectness, drawn), "anchor_box": mean_of_drawn(box_weight * offsets, drawn)}


def anchor_errors(maps: AnchorMaps, drawn: Drawn) -> Term:
    """The number of drawn anchors that are taken for an object and are none, or the reverse, of all that were drawn."""
    said = maps.objectness.detach().gather(1, drawn.places) > 0
    wrong = (said != (drawn.labels > 0)) & drawn.counted
    return Term(wrong.sum(), drawn.counted.sum())


def region_terms(maps: RegionMaps, drawn: Drawn, wanted: Tensor, *, beta: float, box_weight: float) -> dict[str, Term]:
    """The terms of the regions that were drawn, of which alone the maps are: of their classes and of their boxes.

    wanted  (N, S, 4), the offsets from the regions to their true boxes, as the net codes them
    """
    logits = fp32_or_more(maps.logits)
    classes = F.cross_entropy(logits.flatten(0, 1), drawn.labels.flatten(), reduction="none").view_as(drawn.labels)
    of_label = drawn.labels[..., None, None].expand(-1, -1, 1, 4)
    offsets = offset_losses(maps.deltas.gather(2, of_label).squeeze(2), wanted, drawn, beta=beta)
    return {"class": mean_of_drawn(classes, drawn), "box": mean_of_drawn(box_weight * offsets, drawn)}


def region_errors(maps: RegionMaps, drawn: Drawn) -> Term:
    """The number of drawn regions whose most probable class is wrong, of all that were drawn."""
    wrong = (maps.logits.detach().argmax(dim=-1) != drawn.labels) & drawn.counted
    return Term(wrong.sum(), drawn.counted.sum())


def offset_losses(deltas: Tensor, wanted: Tensor, drawn: Drawn, *, beta: float) -> Tensor:
    """The smooth L1 loss of the four offsets (N, S, 4) of each place, summed, (N, S); 0 for background.

    wanted  (N, S, 4), the offsets to the true boxes; those of background, and of empty places, may be no number
    beta    where it turns from square to straight: 1 / sigma^2 in the code of both papers
    """
    positive = (drawn.labels > 0)[..., None]
    losses = F.smooth_l1_loss(fp32_or_more(deltas), torch.where(positive, wanted, 0.0), beta=beta, reduction="none")
    return (losses * positive).sum(dim=-1)


def mean_of_drawn(losses: Tensor, drawn: Drawn) -> Term:
    """The sum over the images of the mean of losses (N, S) over what was drawn in each; its weight is N."""
    counts = drawn.counted.sum(dim=1)
    means = (losses * drawn.counted).sum(dim=1) / counts.clamp(min=1)
    return Term(means.sum(), losses.new_tensor(float(len(losses))))
