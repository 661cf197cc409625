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
from resvision.detection.parts.box_coding import BoxCoding
from resvision.detection.parts.proposals import ANCHOR_CODING, AnchorMaps
from resvision.detection.parts.roi_head import RegionMaps
from resvision.detection.parts.sampling import Drawn, at

TERMS = ("objectness", "anchor_box", "class", "box")
"""The terms of anchors, then those of regions."""


def anchor_terms(maps: AnchorMaps, drawn: Drawn, *, beta: float, box_weight: float) -> dict[str, Term]:
    """The terms of the anchors that were drawn among all: of their objectness and of their offsets."""
    logits = fp32_or_more(maps.objectness.gather(1, drawn.places))
    wanted = (drawn.labels > 0).to(logits.dtype)
    objectness = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    offsets = offset_losses(at(maps.deltas, drawn.places), drawn, ANCHOR_CODING, beta=beta)
    return {"objectness": mean_of_drawn(objectness, drawn), "anchor_box": mean_of_drawn(box_weight * offsets, drawn)}


def region_terms(
    maps: RegionMaps, drawn: Drawn, coding: BoxCoding, *, beta: float, box_weight: float
) -> dict[str, Term]:
    """The terms of the regions that were drawn, of which alone the maps are: of their classes and of their boxes."""
    logits = fp32_or_more(maps.logits)
    classes = F.cross_entropy(logits.flatten(0, 1), drawn.labels.flatten(), reduction="none").view_as(drawn.labels)
    of_label = drawn.labels[..., None, None].expand(-1, -1, 1, 4)
    offsets = offset_losses(maps.deltas.gather(2, of_label).squeeze(2), drawn, coding, beta=beta)
    return {"class": mean_of_drawn(classes, drawn), "box": mean_of_drawn(box_weight * offsets, drawn)}


def offset_losses(deltas: Tensor, drawn: Drawn, coding: BoxCoding, *, beta: float) -> Tensor:
    """The smooth L1 loss of the four offsets of each place (N, S, 4), summed, (N, S); 0 for background.

    beta  where it turns from square to straight: 1 / sigma^2 in the code of both papers
    """
    positive = (drawn.labels > 0)[..., None]
    # Of background, and of empty places, there is nothing to encode, and the result may be no number.
    wanted = torch.where(positive, coding.encode(drawn.boxes, drawn.references), 0.0)
    losses = F.smooth_l1_loss(fp32_or_more(deltas), wanted, beta=beta, reduction="none")
    return (losses * positive).sum(dim=-1)


def mean_of_drawn(losses: Tensor, drawn: Drawn) -> Term:
    """The sum over the images of the mean of losses (N, S) over what was drawn in each; its weight is N."""
    counts = drawn.counted.sum(dim=1)
    means = (losses * drawn.counted).sum(dim=1) / counts.clamp(min=1)
    return Term(means.sum(), losses.new_tensor(float(len(losses))))
