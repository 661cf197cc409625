"""The system of a detector that looks once: its losses and boxes follow from the raw maps alone.

Glossary
    N images, A anchors of an image, of all maps together
"""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor

from resvision.contracts import Batch, Losses
from resvision.detection.detector import Detector, TrueBoxes


class OneStageDetector(Detector):
    """A detector whose net tells classes and boxes in one pass over the image. Abstract."""

    @abstractmethod
    def losses_of(self, maps: Any, truth: TrueBoxes, sides: tuple[int, int]) -> Losses:
        """The terms and metrics of raw maps of `net`; `sides` are height and width of the images."""

    def losses(self, batch: Batch) -> Losses:
        """Compute the terms and metrics of `losses_of`."""
        losses: Losses = self._not_compiled(self.maps(batch.inputs), batch.targets, sides_of(batch))
        return losses

    def anchors_of(self, batch: Batch) -> Tensor:
        """The anchors of the images of a batch, (A, 4) pixels."""
        return torch.cat([*self.anchors(sides_of(batch)).values()])

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _not_compiled(self, maps: Any, truth: TrueBoxes, sides: tuple[int, int]) -> Losses:
        # The number of places that find a box is another in every step, and each would make a graph.
        return self.losses_of(maps, truth, sides)


def sides_of(batch: Batch) -> tuple[int, int]:
    """Height and width of the images of a batch."""
    height, width = batch.inputs.images.shape[2:]
    return height, width
