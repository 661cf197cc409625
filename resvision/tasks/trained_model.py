"""A trained system, as evaluation, prediction and explanation take it."""

from dataclasses import dataclass
from typing import TypeVar

from torch import nn

from resvision.contracts import System
from resvision.kinds.model_card import ModelCard
from resvision.training.machine import Machine

Trained = TypeVar("Trained", bound="Model")


@dataclass(frozen=True)
class Model(ModelCard):
    """A trained system, ready for use; `system` is in evaluation mode on the device of `machine`."""

    system: System
    machine: Machine

    @property
    def net(self) -> nn.Module:
        """The net, made of torch's own layers, from normalized images (N, C, H, W) to logits, to export or train on."""
        return self.system.net
