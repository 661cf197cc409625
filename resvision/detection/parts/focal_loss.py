"""Focal loss: Lin et al. 2017, Focal Loss for Dense Object Detection, https://arxiv.org/abs/1708.02002, equation 5.

    FL(p_t) = -alpha_t (1 - p_t)^gamma log(p_t)

with p_t = p and alpha_t = alpha for the class of an anchor, p_t = 1 - p and alpha_t = 1 - alpha for every other one.

Glossary
    A anchors, K classes
    logits   (A, K), of which p is the sigmoid
    classes  (A,) int64, the class of each anchor, BACKGROUND where it has none
"""

import torch.nn.functional as F
from torch import Tensor

from resvision.contracts import fp32_or_more

BACKGROUND = -1
"""The class of an anchor that is to find nothing."""


def focal_losses(logits: Tensor, classes: Tensor, *, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """The loss of each anchor, summed over its classes, float32 (A,).

    All anchors count as background first; those of an object then have the term of their class exchanged. So nothing
    of the size of the logits is made for the targets.
    """
    logits = fp32_or_more(logits)
    losses = (1 - alpha) * _focal(-logits, gamma).sum(dim=-1)
    objects = (classes != BACKGROUND).nonzero().flatten()
    own = logits[objects, classes[objects]]
    return losses.index_add(0, objects, alpha * _focal(own, gamma) - (1 - alpha) * _focal(-own, gamma))


def _focal(logits: Tensor, gamma: float) -> Tensor:
    """-(1 - p)^gamma log(p) for p the sigmoid of the logits; finite, and its gradient too, for every finite logit."""
    return (-gamma * F.softplus(logits)).exp() * F.softplus(-logits)
