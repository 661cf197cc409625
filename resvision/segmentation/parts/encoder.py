"""A classification net as the encoder of a segmentation net: its maps, and the atrous rates of its blocks."""

from collections.abc import Iterator, Mapping
from typing import Literal, TypeVar, get_args

from torch import nn

from resvision.classification.stages import Staged, Stages, stages, uncut_maps
from resvision.core.errors import MissingStageError, SettingsError

MULTI_GRID = (1, 2, 4)
"""Factors of the rates of the three last blocks: Chen et al. 2017, https://arxiv.org/abs/1706.05587, section 4.1."""

FirstBlocks = Literal["stage", "former"]
"""Whose atrous rate the first block of a stage has that lost its stride: its own stage's, or the one before it."""

T = TypeVar("T")


def cut(
    backbone: nn.Module,
    output_stride: int,
    *,
    needs: str | None = None,
    count: int = 1,
    first_blocks: FirstBlocks = "former",
) -> Stages:
    """The net as an encoder, a copy of it that gives its maps, the deepest at `output_stride`.

    needs         the name of a map that the net must have, shallower than its deepest
    count         the least number of maps that it must have
    first_blocks  former: the first block of a stage whose stride was taken away keeps the rate that enters it, so that
                  the maps, subsampled, are those of the uncut net, as in torchvision; stage: it has the rate of the
                  stage's other blocks, as in the released nets of PSPNet and DeepLab

    Raises MissingStageError for a net without these, SettingsError for an output stride that it does not take and for
    another choice of `first_blocks`.
    """
    if first_blocks not in get_args(FirstBlocks):
        raise SettingsError(f"first_blocks {first_blocks!r}: choices are {', '.join(get_args(FirstBlocks))}")
    if not isinstance(backbone, Staged):
        raise MissingStageError(f"{type(backbone).__name__} as backbone has no maps, which stage_ends() would name")
    names = [*uncut_maps(backbone)]
    choices = f"{type(backbone).__name__} as backbone gives {', '.join(names)}"
    if needs is not None and needs not in names[:-1]:
        raise MissingStageError(f"{choices}; needed are {needs} and a deeper one")
    if len(names) < count:
        raise MissingStageError(f"{choices}; needed are {count}")
    encoder = stages(backbone, output_stride)
    if first_blocks == "stage":
        for block, rate in _first_blocks(encoder, backbone):
            _set_rate(block, rate)
    return encoder


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
        _set_rate(block, stretch * factor)


def _first_blocks(encoder: Stages, backbone: nn.Module) -> Iterator[tuple[nn.Module, int]]:
    """The first block of each stage that lost its stride, with the rate of the stage's other blocks.

    Stages are rows of blocks whose first one strides, as in ResNets; blocks that stride at their end are no such rows.
    """
    uncut, before = uncut_maps(backbone), 1
    for path, name in encoder.steps.items():
        stage = encoder.get_submodule(path)
        if not name:
            continue
        rate = uncut[name].stride // encoder.stride[name]
        if rate > before and isinstance(stage, nn.Sequential):
            yield stage[0], rate
        before = rate


def _set_rate(block: nn.Module, rate: int) -> None:
    """Give all 3x3 convolutions of a block an atrous rate, in place."""
    for conv in block.modules():
        if isinstance(conv, nn.Conv2d) and conv.kernel_size == (3, 3):
            conv.dilation = conv.padding = (rate, rate)
