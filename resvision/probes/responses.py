"""The size of what layers answer: He et al. 2015, https://arxiv.org/abs/1512.03385, section 4.2 and Figure 7.

The response of a convolution is its output once it is normalized, before the nonlinearity and before the addition of a
shortcut; where no normalization follows, the output itself. The paper does not say over what its standard deviations
are taken: here over all images, channels and positions at once.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.weak import WeakTensorKeyDictionary

from resvision.core.errors import SettingsError
from resvision.probes.modes import in_mode

NORMS = (_NormBase, nn.GroupNorm)
"""Normalizations that may follow a convolution: batch and instance normalization, and that of groups."""


class Response(NamedTuple):
    """The standard deviation of one convolution's responses.

    layer   dotted name of the convolution in the net
    window  its window, such as `3x3`
    std     at least 0, in the units of the net
    """

    layer: str
    window: str
    std: float


def layer_responses(
    net: nn.Module, images: Tensor | Iterable[Tensor], *, window: str | None = "3x3", batch_statistics: bool = False
) -> list[Response]:
    """The responses to images, one for each convolution with the window, in the order of the forward pass.

    The net stays as it is. Raises SettingsError where no such convolution is called.

    images            normalized, (N, C, H, W), or batches of them
    window            that of the convolutions, 3x3 as in the paper; None for any
    batch_statistics  normalizations take the statistics of each batch, as in training, not their running ones
    """
    watch = _Watch(window)
    handles = [
        module.register_forward_hook(
            watch.after_convolution(name) if isinstance(module, nn.Conv2d) else watch.after_norm
        )
        for name, module in net.named_modules()
        if isinstance(module, (nn.Conv2d, *NORMS))
    ]
    try:
        with torch.no_grad(), in_mode(net, training=batch_statistics):
            for batch in [images] if isinstance(images, Tensor) else images:
                net(batch)
                watch.end_batch()
    finally:
        for handle in handles:
            handle.remove()
    if not watch.moments:
        raise SettingsError(f"{type(net).__name__} calls no convolution of {window or 'any size'}; name another window")
    return [Response(name, watch.windows[name], moments.std()) for name, moments in watch.moments.items()]


class Moments(NamedTuple):
    """How many numbers there are, their sum and that of their squares."""

    size: int = 0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Tensor) -> Self:
        """The moments of all values of a tensor, in float64."""
        numbers = values.double()
        return cls(numbers.numel(), float(numbers.sum()), float(numbers.square().sum()))

    def with_those(self, other: "Moments") -> "Moments":
        """The moments of these numbers and others."""
        return Moments(self.size + other.size, self.total + other.total, self.squares + other.squares)

    def std(self) -> float:
        """The standard deviation of the numbers themselves, not that estimated for a sample."""
        mean = self.total / self.size
        return math.sqrt(max(0.0, self.squares / self.size - mean * mean))


class _Watch:
    """The responses of a net while it runs.

    moments  of responses by the name of the convolution, in the order of the forward pass, of all batches that ended
    windows  likewise
    """

    def __init__(self, window: str | None) -> None:
        self.moments: dict[str, Moments] = {}
        self.windows: dict[str, str] = {}
        self._window = window
        self._calls: list[tuple[str, Moments]] = []
        self._outputs: Any = WeakTensorKeyDictionary()  # number of the call, and version, by a convolution's output

    def after_convolution(self, name: str) -> Callable[[nn.Conv2d, Any, Tensor], None]:
        """The hook of a convolution: its own output is the response until a normalization follows."""

        def hook(convolution: nn.Conv2d, inputs: Any, output: Tensor) -> None:
            self.windows[name] = "x".join(map(str, convolution.kernel_size))
            if self._window in {None, self.windows[name]}:
                self._outputs[output] = len(self._calls), output._version
                self._calls.append((name, Moments.of(output)))

        return hook

    def after_norm(self, norm: nn.Module, inputs: Any, output: Tensor) -> None:
        """The hook of a normalization: its output takes the place of the convolution's that it was given."""
        call, version = self._outputs.get(inputs[0], (None, 0))
        # an output of another version was changed in place on the way, as by a ReLU: then the norm does not follow
        if call is not None and inputs[0]._version == version:
            self._calls[call] = (self._calls[call][0], Moments.of(output))

    def end_batch(self) -> None:
        """Add the responses since the last batch to the others."""
        for name, moments in self._calls:
            self.moments[name] = self.moments.get(name, Moments()).with_those(moments)
        self._calls.clear()
