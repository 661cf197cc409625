"""The score that an explanation of a label map is about: the logits of a class, summed over its pixels.

Seg-Grad-CAM: Vinogradova et al. 2020, https://arxiv.org/abs/2002.11434, section 3, where the sum goes over a single
pixel, those of one object, or all.

Glossary
    K classes, h and w the sides of the view
    logits  (N, K, h', w'), which begin at the first pixel of the view and may reach beyond it
    chosen  (h, w) bool: the pixels over which is summed
"""

import torch
from torch import Tensor

from resvision.contracts import Images
from resvision.core.errors import DataError
from resvision.core.images import Pixels
from resvision.geometry.tiles import WHOLE_UP_TO
from resvision.segmentation.parts.tiles import input_rule, whole_window
from resvision.segmentation.segmenter import Segmenter
from resvision.tasks import ExplainedScore, Model, Question, images_of


@torch.no_grad()
def summed_logits(model: Model, system: Segmenter, pixels: Pixels, question: Question) -> ExplainedScore:
    """The sum of a class's logits over the pixels that the net gives to it, or over the points of the question.

    The class is the commonest there, unless the question names one; one that the net sees nowhere is summed over all
    pixels. Raises DataError for a view that the net cannot be shown in one piece.
    """
    images, border_px = _whole_images(system, model, pixels)
    height, width = pixels.shape[:2]

    def logits(images: Tensor) -> Tensor:
        return system.logits(Images(images))[:, :, :height, :width]

    labels = logits(images)[0].argmax(dim=0)
    if question.points is not None:
        columns, rows = torch.from_numpy(question.points).long().to(labels.device).T
        chosen = torch.zeros_like(labels, dtype=torch.bool)
        chosen[rows, columns] = True
    else:
        chosen = torch.ones_like(labels, dtype=torch.bool)
    label = int(labels[chosen].bincount().argmax()) if question.label is None else question.label
    if question.points is None and bool((labels == label).any()):
        chosen = labels == label
    name = model.classes[label]
    return ExplainedScore(
        images=images,
        border_px=border_px,
        net=logits,
        score=lambda output: output[:, label, chosen].sum(dim=1),
        label=name,
        words=_words(name, int(chosen.sum()), everywhere=bool(chosen.all())),
        share=float((labels == label).float().mean()),
    )


def _words(name: str, pixels: int, *, everywhere: bool) -> str:
    if everywhere:
        return f"logits of {name}, summed over all {pixels:,} pixels"
    return f"logit of {name} at one pixel" if pixels == 1 else f"logits of {name}, summed over {pixels:,} pixels"


def _whole_images(system: Segmenter, model: Model, pixels: Pixels) -> tuple[Tensor, int]:
    """The net's input of one view, mirrored beyond its edges as the net asks, and the width of that border."""
    height, width = pixels.shape[:2]
    rule = input_rule(system.net)
    window = whole_window(images_of(model, pixels), rule) if height * width <= WHOLE_UP_TO else None
    if window is None:
        limit = f"{WHOLE_UP_TO:,} pixels at most" if height * width > WHOLE_UP_TO else str(rule)
        raise DataError(f"the image is {width}x{height} and must be shown in one piece, {limit}; give a part of it")
    return window, rule.border_px
