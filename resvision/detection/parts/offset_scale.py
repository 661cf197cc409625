"""Offsets from regions at mean 0 and variance 1, by what is measured on the training data.

Girshick 2015, https://arxiv.org/abs/1504.08083, section 2.3. The paper's code folds mean and deviation into the weights
of the last layer once it is trained; here they stay beside it.

Glossary
    N, S, P, K  images, places of a sample, regions of an image, classes without the background, which is class 0
"""

import torch
from torch import Tensor, nn

from resvision.detection.parts.box_coding import BoxCoding

CODING = BoxCoding()
USUAL_STD = (0.1, 0.1, 0.2, 0.2)
"""The deviations before anything is measured: those that Faster R-CNN fixes."""

SMALLEST_STD = 0.01
"""Deviations are taken as no less, as those of a class all of whose regions are its true boxes."""

FEWEST = 2
"""A class with fewer regions has the mean and deviation of all classes together."""


class OffsetScale(nn.Module):
    """The mean and the deviation of the offsets of each class, (K + 1, 4); those of the background are 0 and 1."""

    mean: Tensor
    std: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_classes + 1, 4))
        self.register_buffer("std", torch.tensor([[1.0] * 4, *[[*USUAL_STD]] * num_classes]))

    def encode(self, boxes: Tensor, references: Tensor, labels: Tensor) -> Tensor:
        """The scaled offsets from references (N, S, 4) to boxes (N, S, 4) of classes (N, S)."""
        return (CODING.encode(boxes, references) - self.mean[labels]) / self.std[labels]

    def restored(self, deltas: Tensor) -> Tensor:
        """The offsets that scaled ones stand for, (N, P, K + 1, 4)."""
        return deltas * self.std + self.mean

    @torch.no_grad()
    def set_to(self, moments: "OffsetMoments") -> None:
        """Take over mean and deviation of the offsets that were counted."""
        mean, std = moments.of_classes()
        self.mean[1:], self.std[1:] = mean.to(self.mean), std.to(self.std)


class OffsetMoments:
    """Sums of offsets and of their squares by class, from which mean and deviation follow."""

    def __init__(self, num_classes: int) -> None:
        self.counts = torch.zeros(num_classes, 1, dtype=torch.float64)
        self.sums = torch.zeros(num_classes, 4, dtype=torch.float64)
        self.squares = torch.zeros(num_classes, 4, dtype=torch.float64)

    def add(self, boxes: Tensor, references: Tensor, labels: Tensor) -> None:
        """Count the offsets from references (R, 4) to boxes (R, 4) of classes (R,), 0..K-1."""
        offsets = CODING.encode(boxes.double(), references.double())
        self.counts.index_add_(0, labels, torch.ones(len(labels), 1, dtype=torch.float64))
        self.sums.index_add_(0, labels, offsets)
        self.squares.index_add_(0, labels, offsets**2)

    def of_classes(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation, (K, 4) each; those of all together for a class with fewer than FEWEST regions.

        Where there are so few of all together, mean 0 and the usual deviation.
        """
        counts, sums, squares = (
            torch.where(self.counts >= FEWEST, some, some.sum(dim=0, keepdim=True))
            for some in (self.counts, self.sums, self.squares)
        )
        known = counts >= FEWEST
        mean = torch.where(known, sums / counts.clamp(min=1), 0.0)
        variance = (squares / counts.clamp(min=1) - mean**2).clamp(min=0)
        return mean, torch.where(known, variance.sqrt().clamp(min=SMALLEST_STD), mean.new_tensor(USUAL_STD))
