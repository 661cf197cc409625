"""The system that every classifier shares: normalization, cross-entropy, softmax. It has no parameters.

Glossary
    N images, K classes
    pixels  (N, C, H, W) uint8, by a reader's view
    images  (N, C, H, W) float32, (pixels / 255 - mean) / std
    logits  (N, K)
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.classification.dense import FullyConvolutional
from resvision.contracts import Batch, Images, Losses, MixedTargets, PixelSystem, Term, fp32_or_more
from resvision.core.errors import SettingsError, printable
from resvision.core.samples import Reader
from resvision.core.settings import Scalar


@dataclass(frozen=True, kw_only=True)
class ClassifierLoss:
    """The options of the loss of a classifier; ValueError for values that cannot work.

    label_smoothing  share of the target spread evenly over all classes (Szegedy et al. 2016), 0 <= s < 1
    class_weights    K numbers above 0 as text, `1,2.5,1`: how much an image of each class counts. The loss is divided
                     by the sum of the weights of the batch's images
    """

    label_smoothing: float = 0.0
    class_weights: str | None = None

    def __post_init__(self) -> None:
        require_smoothing(self.label_smoothing)
        if self.class_weights is not None:
            numbers(self.class_weights)


class Classifier(PixelSystem):
    """The system of a net that gives logits, trained with cross-entropy.

    mean, std  per channel, in units of 0..1
    options    of the loss
    """

    takes_mixed_targets: ClassVar[bool] = True
    loss_options: ClassVar[type] = ClassifierLoss

    class_weights: Tensor | None

    def __init__(
        self, net: nn.Module, *, mean: Sequence[float], std: Sequence[float], options: ClassifierLoss | None = None
    ) -> None:
        super().__init__(net, mean=mean, std=std)
        options = options or ClassifierLoss()
        self.label_smoothing = options.label_smoothing
        weights = None if options.class_weights is None else torch.tensor(numbers(options.class_weights))
        self.register_buffer("class_weights", weights, persistent=False)

    def logits(self, inputs: Images) -> Tensor:
        """Compute class logits of uint8 pixels, float32 (N, K)."""
        logits: Tensor = self.net(self.normalized(inputs.images))
        return fp32_or_more(logits)

    def class_map(self, inputs: Images) -> Tensor:
        """Compute class logits of uint8 pixels at each position of a fully convolutional net, float32 (N, K, h, w)."""
        assert isinstance(self.net, FullyConvolutional), "whoever asks for a map knows the net"
        return fp32_or_more(self.net.class_map(self.normalized(inputs.images)))

    def losses(self, batch: Batch) -> Losses:
        """Compute cross-entropy, and the share of images whose most probable class is wrong."""
        return self.losses_of(self.logits(batch.inputs), batch.targets)

    def weights(self, batch: Batch) -> dict[str, Tensor]:
        """Count the images of a batch, or add the weights of their classes."""
        return {"cross_entropy": self.weight_of(batch.targets)}

    def losses_of(self, logits: Tensor, targets: Tensor | MixedTargets) -> Losses:
        """Compute `losses` from logits.

        An image of mixed targets counts as two, the first with its share and the second with the rest.
        """
        pred = logits.detach().argmax(dim=1)
        if isinstance(targets, MixedTargets):
            wrong = torch.lerp((pred != targets.second).float(), (pred != targets.first).float(), targets.share)
        else:
            wrong = (pred != targets).float()
        error = Term(wrong.sum(), wrong.new_full((), len(wrong)))
        return Losses(terms={"cross_entropy": self.cross_entropy(logits, targets)}, metrics={"error": error})

    def cross_entropy(self, logits: Tensor, targets: Tensor | MixedTargets) -> Term:
        """Compute the cross-entropy of logits, with label smoothing and class weights."""
        total = self._mixed_sum(logits, targets) if isinstance(targets, MixedTargets) else self._sum(logits, targets)
        return Term(total, self.weight_of(targets))

    def weight_of(self, targets: Tensor | MixedTargets) -> Tensor:
        """The total weight of a batch's images, a scalar."""
        if not isinstance(targets, MixedTargets):
            if self.class_weights is None:
                return self.mean.new_full((), len(targets))
            return self.class_weights[targets].sum()
        weight = self.mean.new_zeros(())
        for classes, share in self._shares(targets):
            weight = weight + (share if self.class_weights is None else share * self.class_weights[classes]).sum()
        return weight

    def predict(self, inputs: Images) -> Tensor:
        """Predict class probabilities, (N, K)."""
        return self.logits(inputs).softmax(dim=1)

    def _sum(self, logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(
            logits, targets, self.class_weights, label_smoothing=self.label_smoothing, reduction="sum"
        )

    def _mixed_sum(self, logits: Tensor, targets: MixedTargets) -> Tensor:
        """Sum weight x share x loss over both classes of every image."""
        total = logits.new_zeros(())
        for classes, share in self._shares(targets):
            image_losses = F.cross_entropy(
                logits, classes, self.class_weights, label_smoothing=self.label_smoothing, reduction="none"
            )
            total = total + (share * image_losses).sum()
        return total

    def _shares(self, targets: MixedTargets) -> tuple[tuple[Tensor, Tensor], ...]:
        """Both classes of every image, each with its share, in the precision of the system."""
        share = targets.share.to(self.mean.dtype)
        return (targets.first, share), (targets.second, 1 - share)


BALANCED = {"balanced": 1.0, "balanced-root": 0.5}
"""The `class_weights` that are worked out from the training split, each with a power of the balancing weights."""


def write_out_balanced(
    loss: Mapping[str, Scalar], count: Callable[[], Sequence[int]], *, reader: Reader[Any], unit: str
) -> dict[str, Scalar]:
    """Write balanced `class_weights` of a loss out as numbers; a loss without them is left as it is, and not counted.

    count  gives how often each class occurs in the targets of the reader, in units of `unit`: image or pixel

    Raises SettingsError for a class that does not occur.
    """
    power = BALANCED.get(str(loss.get("class_weights")))
    if power is None:
        return dict(loss)
    counts = count()
    if 0 in counts:
        name = printable(reader.classes[counts.index(0)])
        raise SettingsError(f"loss.class_weights: balanced, but {reader.name} has no training {unit} of {name}")
    return {**loss, "class_weights": balanced_weights(counts, power=power)}


def balanced_weights(counts: Sequence[int], *, power: float = 1.0) -> str:
    """`class_weights` under which all K classes count the same: (n / (K n_k))^power for class k with n_k of n images.

    A power below 1 leaves frequent classes some of their weight.
    """
    return ",".join(repr((sum(counts) / (len(counts) * count)) ** power) for count in counts)


def require_smoothing(share: float) -> None:
    """Raise ValueError for a label smoothing that is no share, or all of the target."""
    if not 0.0 <= share < 1.0:
        raise ValueError(f"label_smoothing must be at least 0 and below 1, got {share}")


def require_factor(name: str, value: float) -> None:
    """Raise ValueError for a factor of a loss that is below 0 or infinite."""
    if not 0.0 <= value < math.inf:
        raise ValueError(f"{name} must be a number of at least 0, got {value}")


def numbers(text: str) -> list[float]:
    """Read the numbers of `class_weights`; ValueError for any other text."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number < math.inf for number in numbers):
        raise ValueError(
            f"class_weights must be `balanced`, `balanced-root` or a number above 0 for each class, got {text!r}"
        )
    return numbers
