"""Freezing: parts of a net that stay as they are while the rest is trained."""

from collections.abc import Sequence

from torch import nn

from resvision.contracts import System
from resvision.core.errors import SettingsError


def freeze(system: System, modules: Sequence[nn.Module]) -> None:
    """Take `modules` of the system's net out of training, for good.

    Their parameters get no gradients, so they are not in the optimizer and do not decay, and they stay in evaluation
    mode: batch normalization uses its statistics and leaves them as they are. Raises SettingsError where nothing is
    left to train.
    """
    for module in modules:
        module.requires_grad_(requires_grad=False)
    system.frozen = (*system.frozen, *modules)
    system.train(system.training)
    if not trainable(system.net)[0]:
        raise SettingsError("model.frozen_stages: nothing is left to train; freeze fewer stages")


def trainable(net: nn.Module) -> tuple[int, int]:
    """Count the numbers that training changes, and the numbers in all parameters."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in net.parameters()]
    return sum(size for size, is_trained in sizes if is_trained), sum(size for size, _ in sizes)
