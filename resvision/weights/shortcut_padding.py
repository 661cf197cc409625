"""Option A nets whose shortcuts pad new channels on both sides, turned into nets of ours, which pad at the end.

He et al. 2015, https://arxiv.org/abs/1512.03385, do not say where the zero channels of option A go. Here they come last
(`layers.shortcuts`); widely used nets for CIFAR put half of them before the channels that go on, and half behind. The
two nets have the same parameters, in the same shapes, but their channels are in another order: with the channels of
every stage reordered, weights of the one give the other, and so the same function.

Glossary
    order  the channels of a map in a net that pads on both sides, in the order in which ours has them, (C,)
"""

from collections.abc import Iterator
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from resvision.core.errors import SettingsError, WeightsError
from resvision.layers.shortcuts import PaddedShortcut
from resvision.training.checkpoints import State

Padding = Literal["end", "both-sides"]
PADDINGS: tuple[Padding, ...] = get_args(Padding)

_NORMS = nn.modules.batchnorm._BatchNorm
Layers = list[tuple[str, nn.Module]]


def pads_channels(net: nn.Module) -> bool:
    """Whether shortcuts of a net pad channels, so that its weights do not tell where."""
    return any(isinstance(module, PaddedShortcut) and module.extra_channels for module in net.modules())


def require_padding(text: str) -> Padding:
    """The text, if it is a way to pad channels; SettingsError otherwise."""
    for padding in PADDINGS:
        if text == padding:
            return padding
    raise SettingsError(f"--padding {text}: choices are {', '.join(PADDINGS)}")


def padded_at_end(net: nn.Module, state: State) -> State:
    """The weights of a net that pads on both sides, in the order of channels that makes `net`, ours, the same function.

    Where a shortcut adds channels, ours has those that go on first and the new ones behind. Whatever reads or writes a
    map is reordered with it: the first convolution of a branch reads, the last writes, and normalizations follow.
    Raises WeightsError for a net without such shortcuts, with an odd number of new channels, or whose maps are read
    elsewhere than in the next block.
    """
    if not pads_channels(net):
        raise WeightsError("--padding: no shortcut of this net pads channels; leave it out")
    state, order = dict(state), None
    blocks = [*_blocks(net)]
    for name, block in blocks:
        before, order = order, _order_behind(block, order)
        _reorder_branch(state, _branch_layers(name, block), before, order)
    assert order is not None, "a net that pads channels"
    for name, layer in _layers_behind(net, [name for name, _ in blocks]):
        if isinstance(layer, _NORMS):
            _reorder(state, name, order)
        elif isinstance(layer, nn.Linear) and layer.in_features == len(order):
            state[f"{name}.weight"] = state[f"{name}.weight"][:, order]
        else:
            raise WeightsError(f"--padding: {name} reads maps of a net whose channels would be reordered; leave it out")
    return state


def _blocks(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The residual blocks of a net, in order: modules that name the child which lies parallel to the others."""
    for name, module in net.named_modules():
        if hasattr(module, "parallel_children"):
            yield name, module


def _shortcut(block: nn.Module) -> nn.Module | None:
    (name,) = block.parallel_children  # type: ignore[misc]  # a tuple of names by its class
    shortcut = getattr(block, name)
    return shortcut if isinstance(shortcut, nn.Module) else None


def _order_behind(block: nn.Module, order: Tensor | None) -> Tensor | None:
    """The order of the channels behind a block, from that before it; None while it is that of the file."""
    shortcut = _shortcut(block)
    if not isinstance(shortcut, PaddedShortcut) or not shortcut.extra_channels:
        return order
    extra = shortcut.extra_channels
    if extra % 2:
        raise WeightsError(f"--padding: a stage adds {extra} channels, which no net puts in equal parts on both sides")
    entering = torch.arange(_width(block) - extra) if order is None else order
    new = torch.arange(_width(block))
    goes_on = entering + extra // 2
    return torch.cat([goes_on, new[~torch.isin(new, goes_on)]])


def _width(block: nn.Module) -> int:
    """The channels of the map behind a block."""
    return [layer.out_channels for _, layer in _branch_layers("", block) if isinstance(layer, nn.Conv2d)][-1]


def _branch_layers(name: str, block: nn.Module) -> Layers:
    """The convolutions and normalizations of a block outside its shortcut, in the order in which they run."""
    (parallel,) = block.parallel_children  # type: ignore[misc]
    start = f"{name}.{parallel}" if name else parallel
    layers = [(f"{name}.{inner}" if name else inner, layer) for inner, layer in _layers(block)]
    return [(inner, layer) for inner, layer in layers if inner != start and not inner.startswith(f"{start}.")]


def _layers(module: nn.Module) -> Layers:
    """The layers with weights below a module, in the order in which they are registered, which is that of running."""
    return [(name, layer) for name, layer in module.named_modules() if [*layer.parameters(recurse=False)]]


def _layers_behind(net: nn.Module, blocks: list[str]) -> Layers:
    """The layers that run after the last block."""
    layers = _layers(net)
    is_inside = [name.startswith(tuple(f"{block}." for block in blocks)) for name, _ in layers]
    return layers[len(layers) - is_inside[::-1].index(True) :]


def _reorder_branch(state: State, layers: Layers, before: Tensor | None, behind: Tensor | None) -> None:
    """Reorder what the layers of a branch read and write."""
    convolutions = [position for position, (_, layer) in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    first, last = convolutions[0], convolutions[-1]
    if before is not None:
        for name, _ in layers[:first]:  # a normalization in front of the first convolution
            _reorder(state, name, before)
        weight = f"{layers[first][0]}.weight"
        state[weight] = state[weight][:, before]
    if behind is not None:
        for name, _ in layers[last:]:
            _reorder(state, name, behind)


def _reorder(state: State, name: str, order: Tensor) -> None:
    """Reorder the channels that a layer writes: its weights, biases and statistics."""
    for key, tensor in state.items():
        if key.rpartition(".")[0] == name and tensor.ndim:
            state[key] = tensor[order]
