"""The system that every segmentation net shares: normalization, losses over pixels, label maps. It has no parameters.

Glossary
    N images, K classes, H and W their sides
    pixels   (N, C, H, W) uint8
    logits   (N, K, h, w); h and w may be less than H and W where a net is sure of the centre only, as U-Net is
    labels   (N, H, W) int64, 0..K-1, VOID where nothing is judged
"""

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.auxiliary import SideHeaded
from resvision.classification.classifier import numbers
from resvision.contracts import Batch, Images, Losses, PixelSystem, WeightedMasks
from resvision.core.images import VOID


class Segmenter(PixelSystem):
    """A net that gives a logit for each class and pixel, trained with cross-entropy over the pixels that are not void.

    mean, std         per channel, in units of 0..1
    label_smoothing   share of the target spread evenly over all classes, 0 <= s < 1
    class_weights     K numbers above 0 as text: how much a pixel of each class counts
    auxiliary_weight  of the same loss of each side head that the net has (0.4 in PSPNet)
    ohem              share of a batch's pixels that are trained on, those with the greatest loss (Shrivastava et al.
                      2016, https://arxiv.org/abs/1604.03540, for pixels), 0 < s <= 1
    border_weight     w0 of U-Net's weights of the pixels between two objects (Ronneberger et al. 2015), which
                      come with the targets; 0 for none
    border_sigma_px   how wide those borders are, in pixels
    dice_weight       of the Dice loss, 1 - 2 |A and B| / (|A| + |B|), mean over the classes that occur (Milletari et
                      al. 2016, https://arxiv.org/abs/1606.04797, with their squares left out)

    Targets are labels or WeightedMasks, whose weights multiply the loss of their pixels.
    """

    class_weights: Tensor | None

    def __init__(
        self,
        net: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        label_smoothing: float = 0.0,
        class_weights: str | None = None,
        auxiliary_weight: float = 0.4,
        ohem: float = 1.0,
        dice_weight: float = 0.0,
        border_weight: float = 0.0,
        border_sigma_px: float = 5.0,
    ) -> None:
        super().__init__(net, mean=mean, std=std)
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, got {label_smoothing}")
        if not 0.0 < ohem <= 1.0:
            raise ValueError(f"ohem must be a share above 0 and at most 1, got {ohem}")
        weights_of = {"auxiliary_weight": auxiliary_weight, "dice_weight": dice_weight, "border_weight": border_weight}
        for name, weight in weights_of.items():
            if not 0.0 <= weight < math.inf:
                raise ValueError(f"{name} must be a number of at least 0, got {weight}")
        if not 0.0 < border_sigma_px < math.inf:
            raise ValueError(f"border_sigma_px must be a number above 0, got {border_sigma_px}")
        self.label_smoothing, self.auxiliary_weight = label_smoothing, auxiliary_weight
        self.ohem, self.dice_weight = ohem, dice_weight
        weights = None if class_weights is None else torch.tensor(numbers(class_weights))
        self.register_buffer("class_weights", weights, persistent=False)

    def logits(self, inputs: Images) -> Tensor:
        """Logits of uint8 pixels, float32 (N, K, h, w)."""
        logits: Tensor = self.net(self.normalized(inputs.images))
        return logits.float()

    def losses(self, batch: Batch) -> Losses:
        """Cross-entropy, dice where asked for, a term for each side head; `error` is the share of wrong pixels."""
        images = self.normalized(batch.inputs.images)
        sided = isinstance(self.net, SideHeaded) and bool(self.net.auxiliary)
        main, *side = cast(SideHeaded, self.net).all_logits(images) if sided else (self.net(images),)
        logits = main.float()
        labels, weights = _centre_of(batch.targets, logits)
        terms = {"cross_entropy": self._cross_entropy(logits, labels, weights)}
        if self.dice_weight:
            terms["dice"] = self.dice_weight * dice_loss(logits, labels)
        for i, each in enumerate(side, start=1):
            terms[f"auxiliary_{i}"] = self.auxiliary_weight * self._cross_entropy(each.float(), labels, weights)
        judged = labels != VOID
        wrong = (logits.detach().max(dim=1).indices != labels) & judged  # argmax takes 13 times as long over planes
        return Losses(terms=terms, metrics={"error": wrong.sum() / judged.sum().clamp(min=1)})

    def predict(self, inputs: Images) -> Tensor:
        """Class probabilities of every pixel that the net labels, float32 (N, K, h, w)."""
        return self.logits(inputs).softmax(dim=1)

    def _cross_entropy(self, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Tensor:
        """Mean over the pixels that count, of which OHEM keeps those with the greatest loss; 0 where all is void."""
        each = F.cross_entropy(
            logits,
            labels,
            self.class_weights,
            ignore_index=VOID,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )
        count = (labels != VOID).float()
        if self.class_weights is not None:
            count = count * self.class_weights[labels.clamp(max=len(self.class_weights) - 1)]
        if weights is not None:
            each = each * weights
        if self.ohem < 1:
            kept = each.flatten().topk(max(1, round(self.ohem * each.numel()))).indices
            each, count = each.flatten()[kept], count.flatten()[kept]
        return each.sum() / count.sum().clamp(min=torch.finfo(torch.float32).tiny)


def dice_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """One minus the Dice coefficient of softmax probabilities (N, K, H, W), mean over the classes that occur.

    Void pixels count nowhere; where all are void the loss is 1.
    """
    judged = (labels != VOID).unsqueeze(1)
    probabilities = logits.softmax(dim=1) * judged
    classes = logits.shape[1]
    truth = F.one_hot(labels.clamp(max=classes - 1), classes).movedim(-1, 1) * judged
    both = (probabilities * truth).sum(dim=(0, 2, 3))
    pixels = truth.sum(dim=(0, 2, 3))
    coefficient = 2 * both / (probabilities.sum(dim=(0, 2, 3)) + pixels).clamp(min=1e-6)
    occurs = (pixels > 0).float()
    return 1 - (coefficient * occurs).sum() / occurs.sum().clamp(min=1)


def _centre_of(targets: Tensor | WeightedMasks, logits: Tensor) -> tuple[Tensor, Tensor | None]:
    """Labels, and weights where there are, of the pixels that the logits are of: the centre."""
    labels, weights = targets if isinstance(targets, WeightedMasks) else (targets, None)
    height, width = logits.shape[2:]
    top, left = (labels.shape[1] - height) // 2, (labels.shape[2] - width) // 2
    centre = (slice(None), slice(top, top + height), slice(left, left + width))
    return labels[centre], None if weights is None else weights[centre]
