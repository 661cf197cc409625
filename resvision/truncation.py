"""Fully connected layers of a trained net cut to a lower rank, by a truncated singular value decomposition.

Girshick 2015, https://arxiv.org/abs/1504.08083, section 3.1: the layers that look at each region take most of the time
of a detector with many regions. A layer that can be cut has a rank among the options of its net, `svd_fc6` of `fc6`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import nn

from resvision import catalog
from resvision.conversion import meta_net
from resvision.core.errors import SettingsError, unknown_name
from resvision.layers.truncated_linear import truncated
from resvision.training.checkpoints import State

PREFIX = "svd_"
"""The option of a layer's rank is this, then the name of the layer."""


class Cut(NamedTuple):
    """A layer that was cut.

    inputs, outputs  of the layer
    kept             share of its squared weights that is left, 0..1
    """

    layer: str
    inputs: int
    outputs: int
    rank: int
    kept: float

    def __str__(self) -> str:
        whole, left = self.inputs * self.outputs, self.rank * (self.inputs + self.outputs)
        return (
            f"{self.layer}: {self.inputs:,} x {self.outputs:,} at rank {self.rank:,}, {whole:,} weights become"
            f" {left:,}; {self.kept:.2%} of the squared weights are kept"
        )


class Truncated(NamedTuple):
    """The options of the net with cut layers, its weights, and the cuts."""

    options: dict[str, Any]
    state: State
    cuts: list[Cut]


def truncate(model: str, options: Mapping[str, Any], state: State, ranks: Mapping[str, int]) -> Truncated:
    """Cut layers of a net, by name, to the ranks that are given; `options` are those of the net, with num_classes.

    Raises SettingsError for a layer that cannot be cut, or was, and for a rank that is none or would save nothing.
    """
    layers = _layers(model, options)
    net, state, cuts = meta_net(model, options), dict(state), []
    for layer, rank in ranks.items():
        if layer not in layers:
            if not layers:
                raise SettingsError(f"--svd: {model} has no layer that can be cut; those of Fast R-CNN can")
            raise SettingsError(f"--svd: {unknown_name('layer', layer, layers)}")
        path, module = layers[layer], net.get_submodule(layers[layer])
        if not isinstance(module, nn.Linear):
            raise SettingsError(f"--svd {layer}={rank}: {layer} is cut already; take the run that it was cut from")
        _require_saving(layer, rank, module)
        weight = state.pop(f"{path}.weight")
        narrow, wide = truncated(weight, rank)
        state |= {
            f"{path}.narrow.weight": narrow,
            f"{path}.wide.weight": wide,
            f"{path}.wide.bias": state.pop(f"{path}.bias"),
        }
        # The rows of the other factor have length 1 each and are orthogonal, so that this is the norm of the product.
        kept = float(narrow.double().square().sum() / weight.double().square().sum().clamp(min=1e-300))
        cuts.append(Cut(layer, module.in_features, module.out_features, rank, kept))
    changed = {f"{PREFIX}{layer}": rank for layer, rank in ranks.items()}
    return Truncated({**options, **changed}, state, cuts)


def _layers(model: str, options: Mapping[str, Any]) -> dict[str, str]:
    """The paths in the net of the layers that can be cut, by their names."""
    names = {key.removeprefix(PREFIX) for key in catalog.options(model, options) if key.startswith(PREFIX)}
    paths = {path.rpartition(".")[2]: path for path, _ in meta_net(model, options).named_modules()}
    return {name: paths[name] for name in sorted(names)}


def _require_saving(layer: str, rank: int, module: nn.Linear) -> None:
    inputs, outputs = module.in_features, module.out_features
    most = (inputs * outputs - 1) // (inputs + outputs)
    if not 1 <= rank <= most:
        raise SettingsError(
            f"--svd {layer}={rank}: {layer} has {inputs:,} x {outputs:,} weights, of which ranks of 1 to {most:,} leave"
            " fewer"
        )
