"""A trained system, as evaluation, prediction and explanation take it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from torch import nn

from resvision.contracts import System
from resvision.core.errors import DataError
from resvision.core.samples import Timing
from resvision.core.views import View
from resvision.data.sets import IMAGENET
from resvision.training.machine import Machine

Trained = TypeVar("Trained", bound="Model")


@dataclass(frozen=True)
class Model:
    """A trained system, ready for use; `system` is in evaluation mode on the device of `machine`.

    name     of the net
    title    the run's folder or the weights' file, for errors
    data     the name of the data set that it was trained on
    view     how images are shown to it
    side_px  side of the square that it was trained on, None where there was none
    timing   how its samples were cut out of recordings, all open where they were not
    """

    system: System
    name: str
    title: str
    data: str
    classes: tuple[str, ...]
    view: View
    side_px: int | None
    machine: Machine
    timing: Timing = field(default=Timing(), kw_only=True)

    @property
    def net(self) -> nn.Module:
        """The net, made of torch's own layers, from normalized images (N, C, H, W) to logits, to export or train on."""
        return self.system.net

    def indices_of(self, classes: Sequence[str], *, data: str) -> list[int]:
        """The model's index of each class of a data set, matched by name.

        ImageNet's thousand, and a thousand WordNet ids, are matched by their order, which is the same everywhere, while
        their English names are not. Raises DataError for a class that it does not know.
        """
        wordnet = data == IMAGENET or all(name[:1] == "n" and name[1:].isdecimal() for name in classes)
        if self.data == IMAGENET and wordnet and len(classes) == len(self.classes):
            return [*range(len(classes))]
        foreign = [name for name in classes if name not in self.classes]
        if foreign:
            raise DataError(
                f"{data}: has classes that the run was not trained on: {', '.join(foreign[:5])};"
                f" the run knows {', '.join(self.classes[:10])}"
            )
        return [self.classes.index(name) for name in classes]
