"""A classification net as the encoder of a segmentation net: its maps, and the atrous rates of its last stage."""

from collections.abc import Mapping
from typing import TypeVar

from torch import nn

from resvision.classification.stages import Staged, Stages, stages, uncut_maps
from resvision.core.errors import MissingStageError, SettingsError

MULTI_GRID = (1, 2, 4)
"""Factors of the rates of the three last blocks: Chen et al. 2017, https://arxiv.org/abs/1706.05587, section 4.1."""

T = TypeVar("T")


def cut(backbone: nn.Module, output_stride: int, *, needs: str | None = None, count: int = 1) -> Stages:
    """The net as an encoder, a copy of it that gives its maps, the deepest at `output_stride`.

    needs  the name of a map that the net must have, shallower than its deepest
    count  the least number of maps that it must have

    Raises MissingStageError for a net without these, SettingsError for an output stride that it does not take.
    """
    if not isinstance(backbone, Staged):
        raise MissingStageError(f"{type(backbone).__name__} as backbone has no maps, which stage_ends() would name")
    names = [*uncut_maps(backbone)]
    choices = f"{type(backbone).__name__} as backbone gives {', '.join(names)}"
    if needs is not None and needs not in names[:-1]:
        raise MissingStageError(f"{choices}; needed are {needs} and a deeper one")
    if len(names) < count:
        raise MissingStageError(f"{choices}; needed are {count}")
    return stages(backbone, output_stride)


def deepest(of_maps: Mapping[str, T]) -> T:
    """The entry of the deepest map, whether the maps themselves are given by name, or their channels."""
    return [*of_maps.values()][-1]


def apply_multi_grid(encoder: Stages, backbone: nn.Module, *, wanted: bool | None) -> None:
    """Multiply the rates of the three blocks of the encoder's last stage by 1, 2, 4, in place.

    The first block then starts from the rate of the others, too, as in the paper, whose nets stride at the end of a
    stage.

    wanted  None multiplies where the last stage is a row of three blocks
    Raises SettingsError where it is not, and `wanted` is True.
    """
    last = encoder.get_submodule([*encoder.steps][-1])
    blocks = [*last.children()] if isinstance(last, nn.Sequential) else []
    fits = len(blocks) == len(MULTI_GRID)
    if wanted and not fits:
        raise SettingsError(f"multi_grid: {type(backbone).__name__}'s last stage is not three blocks; leave it out")
    if wanted is False or not fits:
        return
    name = [*encoder.stride][-1]
    stretch = uncut_maps(backbone)[name].stride // encoder.stride[name]  # the stride that was taken away
    for block, factor in zip(blocks, MULTI_GRID, strict=True):
        for conv in block.modules():
            if isinstance(conv, nn.Conv2d) and conv.kernel_size == (3, 3):
                conv.dilation = conv.padding = (stretch * factor,) * 2
