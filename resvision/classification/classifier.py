"""The system that every classifier shares: normalization, cross-entropy, softmax. It has no parameters.

Glossary
    N images, K classes
    pixels  (N, C, H, W) uint8, as a reader's preprocessing made them
    images  (N, C, H, W) float32, (pixels / 255 - mean) / std
    logits  (N, K)
"""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.dense import FullyConvolutional
from resvision.contracts import Batch, Images, Losses, MixedTargets, PixelSystem


class Classifier(PixelSystem):
    """A net that gives logits, trained with cross-entropy.

    mean, std        per channel, in units of 0..1
    label_smoothing  share of the target spread evenly over all classes (Szegedy et al. 2016), 0 <= s < 1
    class_weights    K numbers above 0 as text, `1,2.5,1`: how much an image of each class counts. The loss is divided
                     by the weights of the images it is taken over, which are those of one part of one process
    """

    takes_mixed_targets: ClassVar[bool] = True

    class_weights: Tensor | None

    def __init__(
        self,
        net: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        label_smoothing: float = 0.0,
        class_weights: str | None = None,
    ) -> None:
        super().__init__(net, mean=mean, std=std)
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, got {label_smoothing}")
        self.label_smoothing = label_smoothing
        weights = None if class_weights is None else torch.tensor(numbers(class_weights))
        self.register_buffer("class_weights", weights, persistent=False)

    def logits(self, inputs: Images) -> Tensor:
        """Class logits of uint8 pixels, float32 (N, K)."""
        logits: Tensor = self.net(self.normalized(inputs.images))
        return logits.float()

    def class_map(self, inputs: Images) -> Tensor:
        """Class logits of uint8 pixels at each position of a fully convolutional net, float32 (N, K, h, w)."""
        assert isinstance(self.net, FullyConvolutional), "whoever asks for a map knows the net"
        return self.net.class_map(self.normalized(inputs.images)).float()

    def losses(self, batch: Batch) -> Losses:
        """Cross-entropy, and the share of images whose most probable class is wrong."""
        return self.losses_of(self.logits(batch.inputs), batch.targets)

    def losses_of(self, logits: Tensor, targets: Tensor | MixedTargets) -> Losses:
        """`losses` of logits that were computed.

        An image of mixed targets counts as two, the first with its share and the second with the rest.
        """
        pred = logits.detach().argmax(dim=1)
        if isinstance(targets, MixedTargets):
            wrong = torch.lerp((pred != targets.second).float(), (pred != targets.first).float(), targets.share)
        else:
            wrong = (pred != targets).float()
        return Losses(terms={"cross_entropy": self.cross_entropy(logits, targets)}, metrics={"error": wrong.mean()})

    def cross_entropy(self, logits: Tensor, targets: Tensor | MixedTargets) -> Tensor:
        """The loss of logits, with label smoothing and class weights."""
        if isinstance(targets, MixedTargets):
            return self._mixed_cross_entropy(logits, targets)
        return F.cross_entropy(logits, targets, self.class_weights, label_smoothing=self.label_smoothing)

    def predict(self, inputs: Images) -> Tensor:
        """Class probabilities, (N, K)."""
        return self.logits(inputs).softmax(dim=1)

    def _mixed_cross_entropy(self, logits: Tensor, targets: MixedTargets) -> Tensor:
        """Sum of weight x share x loss over both classes of every image, divided by the sum of weight x share."""
        total, weight = logits.new_zeros(()), logits.new_zeros(())
        for classes, share in ((targets.first, targets.share), (targets.second, 1 - targets.share)):
            each = F.cross_entropy(
                logits, classes, self.class_weights, label_smoothing=self.label_smoothing, reduction="none"
            )
            total = total + (share * each).sum()
            weight = weight + (share if self.class_weights is None else share * self.class_weights[classes]).sum()
        return total / weight


def balanced_weights(counts: Sequence[int], *, power: float = 1.0) -> str:
    """`class_weights` under which all K classes count the same: (n / (K n_k))^power for class k with n_k of n images.

    A power below 1 leaves frequent classes some of their weight.
    """
    return ",".join(repr((sum(counts) / (len(counts) * count)) ** power) for count in counts)


def numbers(text: str) -> list[float]:
    """The numbers of `class_weights`; ValueError for what is not that."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < math.inf for number in numbers):
        raise ValueError(
            f"class_weights must be `balanced`, `balanced-root` or a number above 0 for each class, got {text!r}"
        )
    return numbers
