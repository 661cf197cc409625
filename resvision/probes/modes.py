"""A net in a mode for the time of a measurement, after which it is as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def in_mode(net: nn.Module, *, training: bool) -> Iterator[None]:
    """A context in which a net trains or evaluates; afterwards its modes and buffers are those from before.

    A system that keeps parts of its net in evaluation mode does so here too.
    """
    modes = {module: module.training for module in net.modules()}
    # Normalizations in training mode move their running statistics, of which a measurement must leave no trace.
    buffers = [(buffer, buffer.clone()) for buffer in net.buffers()] if training else []
    net.train(training)
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
