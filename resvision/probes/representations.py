"""The representations of a net: which of its modules give one, and what they give for some images.

Glossary
    N images, K channels, h and w the sides of a map
    images         (N, C, H, W), the input of the net
    unit           a module whose result is a representation: a block, or a layer with weights that stands in no block
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from resvision.core.errors import SettingsError, unknown_name


@torch.no_grad()
def units(net: nn.Module, images: Tensor) -> dict[str, nn.Module]:
    """The units of a net in the order in which they run, by their dotted names, without running inside of a block.

    The net is taken apart into its children, and so is every child that is a `Sequential`, runs more than once, or
    gives no single tensor with N first. What then holds a matrix of weights is a unit: `conv1`, `layer1.0`, .., `fc` of
    a ResNet. Two of the images are shown to the net to see what runs. Raises SettingsError for a net that has none.
    """
    results: dict[str, list[Any]] = {}
    with watched_modules(dict(net.named_modules()), lambda name, result: results.setdefault(name, []).append(result)):
        net(images[:2])
    found = dict(_units_in(net, "", results, min(2, len(images))))
    if not found:
        raise SettingsError(f"{type(net).__name__}: has no layer with weights that runs once and gives one tensor")
    order = {name: place for place, name in enumerate(results)}  # in which modules end
    return dict(sorted(found.items(), key=lambda unit: order[unit[0]]))


@torch.no_grad()
def feature_maps(net: nn.Module, images: Tensor, layer: str) -> Tensor:
    """The maps that a module of the net, named with dots, gives for images, (N, K, h, w).

    Raises UnknownNameError for a module that the net lacks, SettingsError for one that gives no map, or several.
    """
    modules = dict(net.named_modules())
    if layer not in modules or not layer:
        raise unknown_name("layer", layer, [name for name in modules if name])
    results: list[Any] = []
    # A ReLU in place behind the layer would change the maps afterwards.
    with watched_modules({layer: modules[layer]}, lambda _, result: results.append(_kept(result))):
        net(images)
    if len(results) != 1 or not isinstance(results[0], Tensor) or results[0].ndim != 4:
        raise SettingsError(f"layer {layer}: gives no single map (N, K, h, w); take one before the average")
    return results[0]


@torch.no_grad()
def unit_maps(net: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The maps (N, K, h, w) of those units of a net that give some, by their dotted names, in order."""
    maps: dict[str, Tensor] = {}

    def keep(name: str, result: Tensor) -> None:
        maps[name] = _kept(result)  # of units, which run once

    with watched_modules(units(net, images), keep):
        net(images)
    return {name: result for name, result in maps.items() if result.ndim == 4}


def first_filters(net: nn.Module) -> tuple[str, Tensor]:
    """The name and the filters (K, C, h, w) of the first convolution; SettingsError for a net without one."""
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            return name, module.weight.detach()
    raise SettingsError(f"{type(net).__name__}: has no convolution, and so no filters")


@contextmanager
def watched_modules(modules: Mapping[str, nn.Module], see: Callable[[str, Any], None]) -> Iterator[None]:
    """A context in which `see` gets the name and the result of each of the modules when it has run."""

    def hook(name: str) -> Callable[[nn.Module, Any, Any], None]:
        return lambda module, inputs, result: see(name, result)

    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def chosen(net: nn.Module, images: Tensor, layers: Sequence[str] | None) -> dict[str, nn.Module]:
    """The modules of these dotted names, or the net's units where none are named; UnknownNameError for others."""
    if layers is None:
        return units(net, images)
    modules = dict(net.named_modules())
    for name in layers:
        if name not in modules or not name:
            raise unknown_name("layer", name, [other for other in modules if other])
    return {name: modules[name] for name in layers}


def _units_in(
    module: nn.Module, prefix: str, results: Mapping[str, Sequence[Any]], images: int
) -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        path = f"{prefix}{name}"
        given = results.get(path, ())
        is_one = len(given) == 1 and isinstance(given[0], Tensor) and given[0].ndim >= 2 and len(given[0]) == images
        if not is_one or isinstance(child, nn.Sequential):
            yield from _units_in(child, f"{path}.", results, images)
        elif any(weights.ndim >= 2 for weights in child.parameters()):
            yield path, child


def _kept(result: Any) -> Any:
    return result.clone() if isinstance(result, Tensor) else result
