"""The system of a detector that looks once: its losses and boxes follow from the raw maps alone.

Glossary
    N images, A anchors of an image, of all maps together
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor, nn

from resvision.contracts import Batch, Losses
from resvision.detection.detector import Detector, TrueBoxes
from resvision.kinds.detection.suppression import Suppression

LossOptions = TypeVar("LossOptions")


class OneStageDetector(Detector, Generic[LossOptions]):
    """A detector whose net tells classes and boxes in one pass over the image. Abstract.

    options            of the loss
    usual_suppression  that of the paper
    """

    options: LossOptions
    usual_suppression: ClassVar[Suppression]

    def __init__(
        self, net: nn.Module, *, mean: Sequence[float], std: Sequence[float], options: LossOptions | None = None
    ) -> None:
        super().__init__(net, mean=mean, std=std, suppression=self.usual_suppression)
        self.options = self.loss_options() if options is None else options

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
