"""A classification net as the encoder of a detector: its maps by name."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from resvision.classification.stages import Staged, Stages, stages, uncut_maps
from resvision.core.errors import MissingStageError


def encoder(backbone: nn.Module, needs: Sequence[str]) -> Stages:
    """A copy of the net that gives its maps, those that are needed among them.

    Raises MissingStageError for a net without these.
    """
    name = type(backbone).__name__
    if not isinstance(backbone, Staged):
        raise MissingStageError(f"{name} as backbone has no maps, which stage_ends() would name")
    maps = uncut_maps(backbone)
    if missing := [needed for needed in needs if needed not in maps]:
        raise MissingStageError(
            f"{name} as backbone gives {', '.join(maps)}; needed are {', '.join(needs)}, and it lacks"
            f" {', '.join(missing)}"
        )
    return stages(backbone)


def encoder_names(net: nn.Module, layers: Mapping[str, str]) -> dict[str, str]:
    """The names that weights of the net have in the classification net below it, by their names in the net.

    layers  the layers behind the maps that start with weights of the classification net, with their names there
    """
    prefix, below = next((name, module) for name, module in net.named_modules() if isinstance(module, Stages))
    names = {f"{prefix}.{key}": key for key in below.state_dict()}
    for own, theirs in layers.items():
        names |= {f"{own}.{key}": f"{theirs}.{key}" for key in net.get_submodule(own).state_dict()}
    return names


def map_sizes(net: nn.Module, shape: tuple[int, ...]) -> dict[str, tuple[int, int]]:
    """Height and width of the maps that a net gives, by name, for images of this shape, (C, H, W).

    The net runs on the meta device: nothing is computed, and neither its parameters nor its buffers change.
    """
    state: dict[str, Tensor] = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    on_meta = {name: torch.empty_like(tensor, device="meta") for name, tensor in state.items()}
    # Of two images, since a normalization in training refuses one value a channel.
    with torch.no_grad():
        maps: dict[str, Tensor] = functional_call(net, on_meta, torch.empty(2, *shape, device="meta"))
    return {name: (level.shape[2], level.shape[3]) for name, level in maps.items()}
