"""The surface of a loss around the weights of a net, along directions that are normalized filter by filter.

Li et al. 2018, Visualizing the Loss Landscape of Neural Nets, https://arxiv.org/abs/1712.09913, section 4: a direction
is drawn from a Gaussian, then each of its filters is given the norm of the filter of the net at its place. So a step of
1 moves every filter by its own length, and nets whose weights are of different scales can be compared.

As in the paper's code, biases and the parameters of normalizations are left where they are, a row of a fully connected
layer counts as a filter, and batch normalization keeps its running statistics. The middle of the surface is then the
loss of the net itself, in evaluation mode. But where weights move away, statistics of the middle no longer normalize:
with `batch_statistics` each batch is normalized by its own, as in training, of which the middle differs a little.

Glossary
    S, T       steps along the first and the second direction
    direction  a tensor for each parameter of the net, in their order
    step       1 moves every filter by its own norm
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from resvision.core import draws

Floats = NDArray[np.float64]
Direction = list[Tensor]
Loss = Callable[[], float]
"""The loss of the net as its weights are now, such as the mean over some images."""


def random_direction(net: nn.Module, *, seed: int, number: int = 0) -> Direction:
    """The direction of a seed and a number: Gaussian, filter-normalized, zero for parameters of one dimension.

    It depends on the seed, the number and the shapes and norms of the net's weights alone.
    """
    return [_normalized(weights.detach(), draws.key(seed, number, i)) for i, weights in enumerate(net.parameters())]


def loss_line(
    net: nn.Module, loss: Loss, direction: Direction, steps: Sequence[float], *, batch_statistics: bool = False
) -> Floats:
    """The loss at steps along a direction, (S,); the net is left as it was, bit by bit.

    batch_statistics  normalize each batch by its own statistics, not by the running ones
    """
    with _moved(net, batch_statistics=batch_statistics) as move:
        return np.array([_loss_at(move, loss, [(step, direction)]) for step in steps])


def loss_surface(
    net: nn.Module,
    loss: Loss,
    directions: tuple[Direction, Direction],
    steps: tuple[Sequence[float], Sequence[float]],
    *,
    batch_statistics: bool = False,
) -> Floats:
    """The loss at steps along two directions, (S, T); the net is left as it was, bit by bit."""
    first, second = directions
    with _moved(net, batch_statistics=batch_statistics) as move:
        rows = [[_loss_at(move, loss, [(s, first), (t, second)]) for t in steps[1]] for s in steps[0]]
    return np.array(rows)


Move = Callable[[Sequence[tuple[float, Direction]]], None]


@contextmanager
def _moved(net: nn.Module, *, batch_statistics: bool) -> Iterator[Move]:
    """A function that puts the net's weights at steps from where they are; all are put back at the end."""
    state = [*net.parameters(), *net.buffers()]
    kept = [tensor.detach().clone() for tensor in state]
    training = {module: module.training for module in net.modules() if isinstance(module, _BatchNorm)}

    def move(parts: Sequence[tuple[float, Direction]]) -> None:
        with torch.no_grad():
            for i, weights in enumerate(net.parameters()):
                weights.copy_(kept[i] + sum(step * direction[i] for step, direction in parts))

    try:
        for module in training:
            module.training = batch_statistics
        yield move
    finally:
        for module, was in training.items():
            module.training = was
        with torch.no_grad():
            for tensor, before in zip(state, kept, strict=True):
                tensor.copy_(before)  # running statistics, too, which batches in training mode have changed


def _loss_at(move: Move, loss: Loss, parts: Sequence[tuple[float, Direction]]) -> float:
    move(parts)
    with torch.no_grad():
        return loss()


def _normalized(weights: Tensor, key: int) -> Tensor:
    """A Gaussian draw whose filters, along the first dimension, have the norms of those of the weights."""
    if weights.ndim < 2:
        return torch.zeros_like(weights)
    drawn = torch.randn(weights.shape, generator=torch.Generator().manual_seed(key), dtype=torch.float64)
    norms = weights.double().flatten(1).norm(dim=1)
    scale = (norms.cpu() / drawn.flatten(1).norm(dim=1)).view(-1, *[1] * (weights.ndim - 1))
    direction: Tensor = (drawn * scale).to(weights)
    return direction
