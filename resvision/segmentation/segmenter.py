"""The system that every segmentation net shares: normalization, losses over pixels, label maps. It has no parameters.

Glossary
    N images, K classes, H and W their sides
    pixels   (N, C, H, W) uint8
    logits   (N, K, h, w); h and w may be less than H and W where a net is sure of the centre only, as U-Net is
    labels   (N, H, W) int64, 0..K-1, VOID where nothing is judged
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.auxiliary import SideHeaded
from resvision.classification.classifier import numbers, require_factor, require_smoothing
from resvision.contracts import Batch, Images, Losses, PixelSystem, Term, WeightedMasks, fp32_or_more
from resvision.core.images import VOID
from resvision.segmentation.parts.tiles import input_rule


@dataclass(frozen=True, kw_only=True)
class SegmenterLoss:
    """The options of the loss of a segmentation net; ValueError for values that cannot work.

    Pixels are compared within an image alone, so that the loss of a batch does not depend on how it is cut into parts.

    label_smoothing   share of the target spread evenly over all classes, 0 <= s < 1
    class_weights     K numbers above 0 as text: how much a pixel of each class counts
    auxiliary_weight  of the same loss of each side head that the net has (0.4 in PSPNet)
    ohem              share of the pixels of each image that are trained on, those with the greatest loss (Shrivastava
                      et al. 2016, https://arxiv.org/abs/1604.03540, for pixels), 0 < s <= 1. They are divided by the
                      mean weight of the image's judged pixels, times the number of those that are kept
    border_weight     w0 of U-Net's weights of the pixels between two objects (Ronneberger et al. 2015), which
                      come with the targets; 0 for none
    border_sigma_px   how wide those borders are, in pixels
    dice_weight       of the Dice loss of an image, 1 - 2 |A and B| / (|A| + |B|), mean over the classes that occur in
                      it (Milletari et al. 2016, https://arxiv.org/abs/1606.04797, with their squares left out); images
                      that are all void are left out
    """

    label_smoothing: float = 0.0
    class_weights: str | None = None
    auxiliary_weight: float = 0.4
    ohem: float = 1.0
    dice_weight: float = 0.0
    border_weight: float = 0.0
    border_sigma_px: float = 5.0

    def __post_init__(self) -> None:
        require_smoothing(self.label_smoothing)
        if self.class_weights is not None:
            numbers(self.class_weights)
        if not 0.0 < self.ohem <= 1.0:
            raise ValueError(f"ohem must be a share above 0 and at most 1, got {self.ohem}")
        for name in ("auxiliary_weight", "dice_weight", "border_weight"):
            require_factor(name, getattr(self, name))
        if not 0.0 < self.border_sigma_px < math.inf:
            raise ValueError(f"border_sigma_px must be a number above 0, got {self.border_sigma_px}")


class Segmenter(PixelSystem):
    """The system of a net with a logit for each class and pixel: cross-entropy over the pixels that are not void.

    mean, std  per channel, in units of 0..1
    options    of the loss

    Targets are labels or WeightedMasks, whose weights multiply the loss of their pixels, not its divisor.
    """

    loss_options: ClassVar[type] = SegmenterLoss

    class_weights: Tensor | None

    def __init__(
        self, net: nn.Module, *, mean: Sequence[float], std: Sequence[float], options: SegmenterLoss | None = None
    ) -> None:
        super().__init__(net, mean=mean, std=std)
        options = options or SegmenterLoss()
        self.label_smoothing, self.auxiliary_weight = options.label_smoothing, options.auxiliary_weight
        self.ohem, self.dice_weight = options.ohem, options.dice_weight
        weights = None if options.class_weights is None else torch.tensor(numbers(options.class_weights))
        self.register_buffer("class_weights", weights, persistent=False)

    def logits(self, inputs: Images) -> Tensor:
        """Compute the logits of uint8 pixels, float32 (N, K, h, w)."""
        logits: Tensor = self.net(self.normalized(inputs.images))
        return fp32_or_more(logits)

    def losses(self, batch: Batch) -> Losses:
        """Compute cross-entropy, dice if it counts, a term for each side head; `error` is the share of wrong pixels."""
        images = self.normalized(batch.inputs.images)
        sided = isinstance(self.net, SideHeaded) and bool(self.net.auxiliary)
        main, *side = cast(SideHeaded, self.net).all_logits(images) if sided else (self.net(images),)
        logits = fp32_or_more(main)
        labels, weights = _centre_of(batch.targets, *logits.shape[2:])
        terms = {"cross_entropy": self._cross_entropy(logits, labels, weights)}
        if self.dice_weight:
            judged_images = self._judged_images(labels)
            dice = (dice_losses(logits, labels) * judged_images).sum()
            terms["dice"] = Term(self.dice_weight * dice, judged_images.sum())
        for i, side_logits in enumerate(side, start=1):
            total, weight = self._cross_entropy(fp32_or_more(side_logits), labels, weights)
            terms[f"auxiliary_{i}"] = Term(self.auxiliary_weight * total, weight)
        judged = labels != VOID
        wrong = (logits.detach().max(dim=1).indices != labels) & judged  # argmax takes 13 times as long over planes
        return Losses(terms=terms, metrics={"error": Term(wrong.sum(), judged.sum())})

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Add the weights of the pixels that the loss is taken over, and count the images of `dice`.

        Pixels are those that the net labels, by its `input_rule`.
        """
        border = 2 * input_rule(self.net).border_px
        height, width = batch.inputs.images.shape[2:]
        labels, _ = _centre_of(batch.targets, height - border, width - border)
        sides = len(self.net.auxiliary) if isinstance(self.net, SideHeaded) else 0
        names = ["cross_entropy", *(f"auxiliary_{i}" for i in range(1, sides + 1))]
        weights = dict.fromkeys(names, self._weight(labels))
        return weights | ({"dice": self._judged_images(labels).sum()} if self.dice_weight else {})

    def predict(self, inputs: Images) -> Tensor:
        """Predict class probabilities of every pixel that the net labels, float32 (N, K, h, w)."""
        return self.logits(inputs).softmax(dim=1)

    def _cross_entropy(self, logits: Tensor, labels: Tensor, weights: Tensor | None) -> Term:
        """Sum the loss over the pixels that count, of which OHEM keeps those with the greatest loss."""
        pixel_losses = F.cross_entropy(
            logits,
            labels,
            self.class_weights,
            ignore_index=VOID,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )
        if weights is not None:
            pixel_losses = pixel_losses * weights
        if self.ohem < 1:
            pixel_losses = pixel_losses.flatten(1).topk(self._kept(labels), dim=1).values
        return Term(pixel_losses.sum(), self._weight(labels))

    def _kept(self, labels: Tensor) -> int:
        """The number of pixels of an image that OHEM keeps."""
        return max(1, round(self.ohem * labels[0].numel()))

    def _weight(self, labels: Tensor) -> Tensor:
        """The weight of the pixels that count; with OHEM, of as many as it keeps, at the mean weight of their image.

        It follows from the labels alone: which pixels OHEM keeps does not change what the loss is divided by.
        """
        counts = self._counts(labels)
        if self.ohem == 1:
            return counts.sum()
        judged = (labels != VOID).flatten(1).sum(dim=1)
        kept_share = (self._kept(labels) / judged.clamp(min=1)).clamp(max=1)
        return (counts.flatten(1).sum(dim=1) * kept_share).sum()

    def _judged_images(self, labels: Tensor) -> Tensor:
        """1 for each image with a pixel that is not void, 0 for others, (N,)."""
        return (labels != VOID).flatten(1).any(dim=1).to(self.mean.dtype)

    def _counts(self, labels: Tensor) -> Tensor:
        """The weight of each pixel, shaped as `labels`: 0 where it is void, that of its class or 1 elsewhere."""
        counts = (labels != VOID).to(self.mean.dtype)
        if self.class_weights is None:
            return counts
        return counts * self.class_weights[labels.clamp(max=len(self.class_weights) - 1)]


def dice_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """One minus the Dice coefficient of softmax probabilities (N, K, H, W), mean over an image's classes, (N,).

    Void pixels count nowhere; the loss of an image that is all void is 1.
    """
    judged = (labels != VOID).unsqueeze(1)
    probabilities = logits.softmax(dim=1) * judged
    classes = logits.shape[1]
    truth = F.one_hot(labels.clamp(max=classes - 1), classes).movedim(-1, 1) * judged
    both = (probabilities * truth).sum(dim=(2, 3))
    pixels = truth.sum(dim=(2, 3))
    coefficient = 2 * both / (probabilities.sum(dim=(2, 3)) + pixels).clamp(min=1e-6)
    occurs = (pixels > 0).to(coefficient.dtype)
    return 1 - (coefficient * occurs).sum(dim=1) / occurs.sum(dim=1).clamp(min=1)


def _centre_of(targets: Tensor | WeightedMasks, height: int, width: int) -> tuple[Tensor, Tensor | None]:
    """Cut labels, and weights if there are any, to the centre, (N, height, width), the pixels that logits are for."""
    labels, weights = targets if isinstance(targets, WeightedMasks) else (targets, None)
    top, left = (labels.shape[1] - height) // 2, (labels.shape[2] - width) // 2
    centre = (slice(None), slice(top, top + height), slice(left, left + width))
    return labels[centre], None if weights is None else weights[centre]
