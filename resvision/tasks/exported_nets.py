"""Nets as they are exported: from uint8 pixels to results of fixed shapes, normalization and decoding included.

Glossary
    N        views, one size for all
    pixels   (N, h, w, C) uint8, as `View.show` gives them
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from resvision.contracts import Images, System
from resvision.core.settings import Scalar
from resvision.core.views import View
from resvision.geometry.tiles import InputRule
from resvision.kinds.graph import PIXELS
from resvision.tasks.trained_model import Model


class ExportedNet(NamedTuple):
    """A module to export, with what its bundle is to say.

    module   takes `inputs` in their order, and gives a tensor for each of `outputs`
    inputs   an example of each input, N first
    outputs  the names of its results
    view     how images are shown to it
    batch    the views that it takes at a time; None for any number
    options  what is fixed in it, such as the overlap above which boxes suppress each other
    sides    the rule of the sides that pixels may have; None for those of the example alone
    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    view: View
    batch: int | None = None
    options: Mapping[str, Scalar] = MappingProxyType({})
    sides: InputRule | None = None


class _OfPixels(nn.Module):
    """A system that is asked about pixels as a graph gets them."""

    def __init__(self, system: System, answer: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.system, self._answer = system, answer

    def forward(self, pixels: Tensor) -> Any:
        """The answer for pixels (N, h, w, C) uint8."""
        return self._answer(pixels.permute(0, 3, 1, 2))


def predicting(model: Model, height: int, width: int) -> ExportedNet:
    """A net whose system predicts one tensor, exported for views of these sides."""
    return of_pixels(model, lambda images: model.system.predict(Images(images)), ("predicted",), height, width)


def of_pixels(
    model: Model, answer: Callable[[Tensor], Any], outputs: tuple[str, ...], height: int, width: int
) -> ExportedNet:
    """A net that looks at images alone; `answer` gives a tensor for each of `outputs` of images (N, C, h, w) uint8."""
    pixels = torch.zeros(2, height, width, model.view.channels, dtype=torch.uint8)
    return ExportedNet(_OfPixels(model.system, answer), {PIXELS: pixels}, outputs, model.view)
