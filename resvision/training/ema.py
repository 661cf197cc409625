"""Exponential moving average of weights and normalization statistics (Polyak averaging)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class MovingAverage:
    """An average of a net's state, moved a little towards the net at each step.

    The decay rises with the step, min(decay, (1 + step) / (10 + step)), so that the first steps are soon forgotten.
    Whole-number buffers are copied. `state` has the keys of `net.state_dict()`.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self._net = net
        self._decay = decay
        self.state = {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the net, which has done `step` steps."""
        current = self._net.state_dict()
        floats = [name for name, tensor in self.state.items() if tensor.is_floating_point()]
        weight = 1 - min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_([self.state[name] for name in floats], [current[name] for name in floats], weight)
        for name in self.state.keys() - set(floats):
            self.state[name].copy_(current[name])

    @contextmanager
    def in_place_of_weights(self) -> Iterator[None]:
        """Put the average into the net inside the context, and the net's own weights back after it."""
        own = {name: tensor.detach().clone() for name, tensor in self._net.state_dict().items()}
        self._net.load_state_dict(self.state)
        try:
            yield
        finally:
            self._net.load_state_dict(own)
