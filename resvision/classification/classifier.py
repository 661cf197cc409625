"""The system that every classifier shares: normalization, cross-entropy, softmax. It has no parameters.

Glossary
    N images, K classes
    pixels  (N, C, H, W) uint8, as a reader's preprocessing made them
    images  (N, C, H, W) float32, (pixels / 255 - mean) / std
    logits  (N, K)
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.contracts import Batch, Images, Losses, System


class Classifier(System):
    """A net that gives logits, trained with cross-entropy.

    mean, std        per channel, in units of 0..1
    label_smoothing  share of the target spread evenly over all classes (Szegedy et al. 2016), 0 <= s < 1
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, net: nn.Module, *, mean: Sequence[float], std: Sequence[float], label_smoothing: float = 0.0
    ) -> None:
        super().__init__()
        if not 0.0 <= label_smoothing < 1.0:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, got {label_smoothing}")
        self.net = net
        self.label_smoothing = label_smoothing
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def logits(self, inputs: Images) -> Tensor:
        """Class logits of uint8 pixels, float32 (N, K)."""
        images = (inputs.images.float() - self.mean) / self.std
        logits: Tensor = self.net(images)
        return logits.float()

    def losses(self, batch: Batch) -> Losses:
        """Cross-entropy, and the share of images whose most probable class is wrong."""
        logits = self.logits(batch.inputs)
        cross_entropy = F.cross_entropy(logits, batch.targets, label_smoothing=self.label_smoothing)
        error = (logits.detach().argmax(dim=1) != batch.targets).float().mean()
        return Losses(terms={"cross_entropy": cross_entropy}, metrics={"error": error})

    def predict(self, inputs: Images) -> Tensor:
        """Class probabilities, (N, K)."""
        return self.logits(inputs).softmax(dim=1)
