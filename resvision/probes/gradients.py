"""Norms of the loss's gradient, layer by layer: what of the error reaches the first layer.

Bengio et al. 1994, https://doi.org/10.1109/72.279181, named gradients that vanish with depth; He et al. 2015,
https://arxiv.org/abs/1512.03385, section 4.1, found healthy norms in plain nets with batch normalization.

A layer is a convolution or a linear layer. Its norm is that of its weight alone: biases and normalizations have
other units, and would hide it.

Glossary
    W         weight of a layer
    x         input of a layer, (N, ...); a shortcut may start at it too, and its gradient then counts both ways
    dL/dW     gradient of the mean loss of a batch, of the shape of W
    norm      root of the sum of squares, at least 0
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from resvision.contracts import Batch, System, fp32_or_more, split
from resvision.probes.modes import in_mode


class LayerGradient(NamedTuple):
    """The gradient of the loss at one layer.

    layer     dotted name in the net
    weight    norm of dL/dW
    arriving  norm of dL/dx, over all calls of the layer; x is in the units of the net, so that layers compare, images
              in the forward pass's first layer aside
    """

    layer: str
    weight: float
    arriving: float


def layer_gradients(system: System, batch: Batch, *, training: bool = True) -> list[LayerGradient]:
    """The gradients of the mean loss of a batch, a layer each, in the order of the forward pass.

    Layers whose weights are not trained are left out; one that takes no part in the loss has norms of 0. The net and
    the gradients that it has accumulated stay as they are; dropout draws from torch's generator.

    training  in training mode, where normalizations take the statistics of the batch; else in evaluation mode
    """
    layers = trained_layers(system.net)
    weights = [layer.weight for layer in layers.values()]
    with in_mode(system, training=training), torch.enable_grad(), _watched(system.net, layers) as calls:
        terms = system.losses(batch).terms
        loss = torch.stack([term.mean() for term in terms.values()]).sum()
        gradients = torch.autograd.grad(loss, [*weights, *calls.leaves], allow_unused=True)[: len(weights)]
    norms = dict(zip(layers, norms_of(gradients), strict=True))
    return [
        LayerGradient(name, norms[name], math.sqrt(calls.squares.get(name, 0.0)))
        for name in dict.fromkeys([*calls.order, *layers])
    ]


def trained_layers(net: nn.Module) -> dict[str, Any]:
    """The convolutions and linear layers of a net whose weights are trained, by dotted name, as they were built."""
    return {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, _ConvNd | nn.Linear) and module.weight.requires_grad
    }


def in_forward_order(system: System, batch: Batch) -> dict[str, Any]:
    """The `trained_layers` of a system's net in the order in which the losses of a batch call them first.

    One image is looked at, in evaluation mode; layers that are not called come last.
    """
    layers = trained_layers(system.net)
    with in_mode(system, training=False), torch.no_grad(), _watched(system.net, layers) as calls:
        system.losses(split(batch, len(batch.ids))[0])
    return {name: layers[name] for name in dict.fromkeys([*calls.order, *layers])}


@torch.no_grad()
def accumulated_norms(layers: Mapping[str, Any]) -> dict[str, float]:
    """The norms of the gradients that the weights of layers hold, by name; 0 where one holds none."""
    return dict(zip(layers, norms_of(layer.weight.grad for layer in layers.values()), strict=True))


class GradientSampler:
    """Gives the norms of every so many steps of a training, from the first on, to whoever writes them down.

    system  under training
    every   steps between samples, at least 1
    write   is given the number of a step, from 1, and the norms by layer, in the order of the forward pass
    """

    def __init__(self, system: System, *, every: int, write: Callable[[int, Mapping[str, float]], None]) -> None:
        self._system, self._every, self._write = system, every, write
        self._layers: Mapping[str, Any] | None = None

    def __call__(self, step: int, batch: Batch) -> None:
        """Look at the gradient that the weights hold at a step, counted from 0, if it is one of those."""
        if step % self._every:
            return
        if self._layers is None:
            self._layers = in_forward_order(self._system, batch)
        self._write(step + 1, accumulated_norms(self._layers))


def norms_of(gradients: Iterable[Tensor | None]) -> list[float]:
    """The norm of each gradient, 0 for None, in float32 or more; they leave their device together."""
    listed = [None if gradient is None else fp32_or_more(gradient.detach()) for gradient in gradients]
    there = [gradient for gradient in listed if gradient is not None]
    norms = iter(torch.stack(torch._foreach_norm(there)).tolist() if there else ())
    return [0.0 if gradient is None else next(norms) for gradient in listed]


class _Calls:
    """The calls of layers in a forward pass.

    order    their names
    squares  squared norms of dL/dx by name, once gradients are computed
    leaves   inputs without a gradient of their own, images, whose gradient is computed for the measurement alone
    """

    def __init__(self) -> None:
        self.order: list[str] = []
        self.squares: dict[str, float] = {}
        self.leaves: list[Tensor] = []

    def before_net(self, net: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        """The hook before the net's forward: here, so that a shortcut that starts at the images counts too."""
        return tuple(self._with_gradient(x) for x in inputs)

    def before_layer(self, name: str) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...]]:
        """The hook before a layer's forward."""

        def add(gradient: Tensor) -> None:
            squares = fp32_or_more(gradient.detach()).square().sum()
            self.squares[name] = self.squares.get(name, 0.0) + float(squares)

        def hook(layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            self.order.append(name)
            x = self._with_gradient(inputs[0])
            if x.requires_grad:
                x.register_hook(add)
            return (x, *inputs[1:])

        return hook

    def _with_gradient(self, x: Any) -> Any:
        if not isinstance(x, Tensor) or x.requires_grad or not x.is_floating_point() or not torch.is_grad_enabled():
            return x
        leaf = x.detach().requires_grad_()
        self.leaves.append(leaf)
        return leaf


@contextmanager
def _watched(net: nn.Module, layers: Mapping[str, nn.Module]) -> Iterator[_Calls]:
    """A context in which the calls of the layers of a net are noted."""
    calls = _Calls()
    handles = [net.register_forward_pre_hook(calls.before_net)]
    handles += [layer.register_forward_pre_hook(calls.before_layer(name)) for name, layer in layers.items()]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()
