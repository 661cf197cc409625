"""Focal loss: Lin et al. 2017, Focal Loss for Dense Object Detection, https://arxiv.org/abs/1708.02002, equation 5.

    FL(p_t) = -alpha_t (1 - p_t)^gamma log(p_t)

with p_t = p and alpha_t = alpha for the class of an anchor, p_t = 1 - p and alpha_t = 1 - alpha for every other one.

An image has a hundred thousand anchors with a logit for every class, so the loss is summed over classes a block of
anchors at a time, and its gradient with it: neither targets nor steps on the way are held at the size of the logits.

Glossary
    N images, A anchors, K classes
    logits   (A, K), of which p is the sigmoid
    classes  (A,) int64, the class of each anchor, BACKGROUND where it has none
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from resvision.contracts import fp32_or_more

BACKGROUND = -1
"""The class of an anchor that is to find nothing."""

AT_A_TIME = 2**17
"""Logits of a block: few enough that they and what is made of them stay in a core's cache."""


def focal_losses(logits: Tensor, classes: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """The loss of each anchor, summed over its classes, float32 (A,)."""
    losses: Tensor = _FocalLosses.apply(logits, classes, alpha, gamma)
    return losses


def focal_sum(
    levels: Sequence[Tensor], classes: Tensor, weights: Tensor, *, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """The sum of the weighted losses of the anchors of images.

    levels            logits of the anchors of each map, (N, anchors of the map, K)
    classes, weights  of the anchors of all maps in order, (N, A)
    """
    # Map by map: put together, the logits would be copied, and they are the largest tensor of all.
    lengths = [logits.shape[1] for logits in levels]
    of_levels = zip(levels, torch.split(classes, lengths, dim=1), torch.split(weights, lengths, dim=1), strict=True)
    sums = [
        (focal_losses(logits.flatten(0, 1), own.flatten(), alpha=alpha, gamma=gamma) * weight.flatten()).sum()
        for logits, own, weight in of_levels
    ]
    return torch.stack(sums).sum()


class _FocalLosses(torch.autograd.Function):
    """The losses (A,), and d loss / d logits (A, K), which is kept in the precision of the logits."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, classes: Tensor, alpha: float, gamma: float) -> Tensor:
        """The losses."""
        losses = fp32_or_more(logits.new_empty(0)).new_empty(len(logits))
        slopes = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        rows = max(1, AT_A_TIME // max(1, logits.shape[1]))
        for first in range(0, len(logits), rows):
            block = slice(first, first + rows)
            values, derivatives = _judged(fp32_or_more(logits[block]), classes[block], alpha=alpha, gamma=gamma)
            losses[block] = values.sum(dim=1)
            if slopes is not None:
                slopes[block] = derivatives
        if slopes is not None:
            ctx.save_for_backward(slopes)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *weights: Tensor) -> tuple[Tensor, None, None, None]:
        """The gradient, for the weight (A,) of each anchor's loss."""
        (slopes,) = ctx.saved_tensors
        return slopes * weights[0][:, None].to(slopes.dtype), None, None, None


def _judged(logits: Tensor, classes: Tensor, *, alpha: float, gamma: float) -> tuple[Tensor, Tensor]:
    """The losses of logits (A, K) and their derivatives."""
    values, slopes = _focal(logits, gamma)
    values *= 1 - alpha
    slopes *= 1 - alpha
    objects = (classes != BACKGROUND).nonzero().flatten()
    own = objects, classes[objects]
    own_values, own_slopes = _focal(-logits[own], gamma)
    values[own], slopes[own] = alpha * own_values, -alpha * own_slopes
    return values, slopes


def _focal(logits: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """-p^gamma log(1 - p) for p the sigmoid of the logits, and its derivative; finite for every finite logit."""
    p, surprise = logits.sigmoid(), F.softplus(logits)
    factor = p.square() if gamma == 2 else (gamma * F.logsigmoid(logits)).exp()
    return factor * surprise, factor * (gamma * (1 - p) * surprise + p)
