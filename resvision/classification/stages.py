"""Nets cut into maps by stride: the backbone contract of every detector and segmenter.

A map is called Ck when its stride is 2^k in the uncut net. A smaller output stride takes strides away and
dilates the layers that follow, with the same weights (Chen et al. 2017, https://arxiv.org/abs/1706.05587): subsampled,
the maps equal those of the uncut net.

Glossary
    stride    input pixels between neighbours of a map
    first_px  what a position sees lies about one point of the image: where that is for the first one, from the edge
    stretch   product of the strides taken away so far: former neighbours are now this many pixels apart
    path      dotted name of a module in the net
    ends      paths of the modules whose results are the maps, with the channels of these
"""

from collections import OrderedDict
from collections.abc import Iterator
from copy import deepcopy
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor, nn

from resvision.core.errors import MissingStageError, SettingsError
from resvision.layers.pooling import CeilMaxPool2d, SameAvgPool2d, SameMaxPool2d
from resvision.layers.shortcuts import PaddedShortcut

MAX_STRIDE = 32


@runtime_checkable
class Staged(Protocol):
    """A net that names the children after which it can be cut.

    Its children, called in order, are its forward up to the last cut. A block whose children are not one chain names
    those that start at its input in `parallel_children`; a block of branches alone names all but one, which then is the
    chain.
    """

    def stage_ends(self) -> dict[str, int]:
        """Dotted names of the children, also inside a Sequential, whose results are maps, with their channels."""
        ...


class Map(NamedTuple):
    """Channels and stride of a map, known before the first forward."""

    channels: int
    stride: int


class Grid(NamedTuple):
    """Stride and stretch of a map, as in the glossary; the centre of its first position, 0.5 for that of a pixel."""

    stride: int = 1
    stretch: int = 1
    first_px: float = 0.5


class Stages(nn.Module):
    """The children of a net up to its last map, under their own names; `stages` makes it.

    steps     for each module to call, in order and by its path, the name of the map that it gives, or ""
    channels  by the name of the map
    stride    by the name of the map
    """

    def __init__(self, children: dict[str, nn.Module], *, steps: dict[str, str], maps: dict[str, Map]) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)
        self.steps = steps
        self.channels = {name: entry.channels for name, entry in maps.items()}
        self.stride = {name: entry.stride for name, entry in maps.items()}

    def stage_ends(self) -> dict[str, int]:
        """The steps whose results are maps, with their channels."""
        return {path: self.channels[name] for path, name in self.steps.items() if name}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Maps by name, shallow to deep; each about (N, channels, H / stride, W / stride)."""
        maps: dict[str, Tensor] = {}
        x = images
        for path, name in self.steps.items():
            x = self.get_submodule(path)(x)
            if name:
                maps[name] = x
        return maps


def stages(net: nn.Module, output_stride: int = MAX_STRIDE) -> Stages:
    """A copy of the net, cut into maps, whose deepest map has stride `output_stride`: 32, 16 or 8.

    A net whose deepest stride d is below 32 takes d, d/2, .. 1; 32, the default, leaves it at d.
    Raises SettingsError for another output stride, MissingStageError for a net that has no stages.
    """
    net = deepcopy(net)
    ends = _ends(net)
    paths = [*_steps_until_last(net, ends)]
    # First without an output stride, which changes nothing: maps have the names of the strides of the uncut net.
    uncut = _restride_steps(net, paths, output_stride=None)
    grids = _restride_steps(net, paths, output_stride=_checked_stride(output_stride, uncut[-1].stride))
    names = _names(paths, uncut, ends)
    maps = {names[path]: Map(ends[path], grid.stride) for path, grid in zip(paths, grids, strict=True) if path in ends}
    return Stages(_children_up_to_last(net, paths), steps={path: names.get(path, "") for path in paths}, maps=maps)


def up_to(encoder: Stages, last: str) -> Stages:
    """The stages up to the map named `last`, which must be one of them; modules are shared, not copied."""
    names = [*encoder.channels]
    kept = names[: names.index(last) + 1]
    paths = [*encoder.steps]
    paths = paths[: [*encoder.steps.values()].index(last) + 1]
    maps = {name: Map(encoder.channels[name], encoder.stride[name]) for name in kept}
    return Stages(_children_up_to_last(encoder, paths), steps={path: encoder.steps[path] for path in paths}, maps=maps)


def uncut_maps(net: nn.Module) -> dict[str, Map]:
    """Channels and stride of the maps that `stages(net)` would give, by name; the net is not copied.

    Raises MissingStageError for a net that has no stages.
    """
    ends = _ends(net)
    paths = [*_steps_until_last(net, ends)]
    grids = _restride_steps(net, paths, output_stride=None)
    names = _names(paths, grids, ends)
    return {names[path]: Map(ends[path], grid.stride) for path, grid in zip(paths, grids, strict=True) if path in ends}


def first_centres(net: nn.Module) -> dict[str, float]:
    """`first_px` of the maps of a net, by name, the same along both sides; each further position lies a stride further.

    Raises MissingStageError for a net that has no stages.
    """
    ends = _ends(net)
    paths = [*_steps_until_last(net, ends)]
    grids = _restride_steps(net, paths, output_stride=None)
    names = net.steps if isinstance(net, Stages) else _names(paths, grids, ends)
    return {names[path]: grid.first_px for path, grid in zip(paths, grids, strict=True) if path in ends}


def first_stages(net: nn.Module, count: int) -> dict[str, nn.Module]:
    """The net's own modules up to the end of its `count`-th map, 1 being the shallowest, by their dotted names.

    Of a net on a backbone these are the modules of that. Raises SettingsError for a net with fewer maps, or none.
    """
    prefix, encoder = _encoder(net)
    ends = _ends(encoder)
    if not 1 <= count <= len(ends):
        raise SettingsError(f"{count} stages: {type(net).__name__} has {len(ends)}, which end at {', '.join(ends)}")
    paths = _steps_until_last(encoder, dict([*ends.items()][:count]))
    return {prefix + path: encoder.get_submodule(path) for path in paths}


def stage_modules(net: nn.Module) -> dict[str, nn.Module]:
    """The net's own modules whose results are its maps, by the names of the maps, shallow to deep.

    Of a net on a backbone these are the modules of that. Raises MissingStageError for a net that has no stages.
    """
    encoder = _encoder(net)[1]
    ends = _ends(encoder)
    if isinstance(encoder, Stages):
        names = {path: name for path, name in encoder.steps.items() if name}
    else:
        paths = [*_steps_until_last(encoder, ends)]
        names = _names(paths, _restride_steps(encoder, paths, output_stride=None), ends)
    return {names[path]: encoder.get_submodule(path) for path in ends}


def distances_to_head(net: nn.Module) -> dict[str, int]:
    """The distance of every parameter, by name, to the head, in stages.

    The layers after the last map are the head, at distance 0; the last of the stages of `first_stages` is at distance
    1. Raises SettingsError for a net that has no stages.
    """
    count = len(_ends(_encoder(net)[1]))
    distances = {name: 0 for name, _ in net.named_parameters()}
    for stage in range(count, 0, -1):  # stages hold those before them: each overwrites its part
        for path, module in first_stages(net, stage).items():
            distances |= {f"{path}.{name}": count + 1 - stage for name, _ in module.named_parameters()}
    return distances


def _encoder(net: nn.Module) -> tuple[str, nn.Module]:
    """The prefix of names, and the part of the net that has the stages: the net itself, or the Stages inside it."""
    for name, module in net.named_modules():
        if name and isinstance(module, Stages):
            return f"{name}.", module
    return "", net


def _ends(net: nn.Module) -> dict[str, int]:
    """The net's `stage_ends`. Raises MissingStageError for a net without that method."""
    if not isinstance(net, Staged):
        raise MissingStageError(
            f"{type(net).__name__} has no stages; convolutional nets of the catalog do, such as resnet18,"
            " resnet50, resnet20 or preresnet164, and nets that stand on one of these; a net of your own names them in"
            " a method stage_ends()"
        )
    return net.stage_ends()


def _names(paths: list[str], uncut: list[Grid], ends: dict[str, int]) -> dict[str, str]:
    """The names of the maps, by the paths of the modules that give them."""
    names = {path: f"C{grid.stride.bit_length() - 1}" for path, grid in zip(paths, uncut, strict=True) if path in ends}
    assert len({*names.values()}) == len(ends), "every cut has its own stride"
    return names


def _checked_stride(output_stride: int, deepest: int) -> int:
    """The output stride. Raises SettingsError for one that a net whose deepest stride is `deepest` does not take."""
    smallest = 8 if deepest >= MAX_STRIDE else 1
    choices = [deepest >> k for k in range(deepest.bit_length()) if deepest >> k >= smallest]
    if output_stride not in {*choices, MAX_STRIDE}:
        raise SettingsError(f"output_stride {output_stride}: this net takes {', '.join(map(str, choices))}")
    return output_stride


def _steps_until_last(net: nn.Module, ends: dict[str, int], prefix: str = "") -> Iterator[str]:
    """Paths of the modules to call one after another up to the last map; a Sequential with an end inside is opened."""
    last = [*ends][-1]
    for name, child in net.named_children():
        path = prefix + name
        if any(end.startswith(f"{path}.") for end in ends):
            yield from _steps_until_last(child, ends, prefix=f"{path}.")
        else:
            yield path
        if path == last or last.startswith(f"{path}."):
            return


def _children_up_to_last(net: nn.Module, paths: list[str], prefix: str = "") -> dict[str, nn.Module]:
    """The children of a net at `paths`; of a Sequential that was opened, those parts that `paths` name."""
    children: dict[str, nn.Module] = {}
    for name, child in net.named_children():
        path = prefix + name
        if path in paths:
            children[name] = child
        elif any(step.startswith(f"{path}.") for step in paths):
            # The Sequential keeps its name and those of its parts, so that the state has the net's own names.
            children[name] = nn.Sequential(OrderedDict(_children_up_to_last(child, paths, prefix=f"{path}.")))
    return children


def _restride_steps(net: nn.Module, paths: list[str], *, output_stride: int | None) -> list[Grid]:
    """The grid after each step, once strides beyond `output_stride` are taken away in place; None keeps them all."""
    grid, grids = Grid(), []
    for path in paths:
        grid = _restride(net.get_submodule(path), grid, output_stride)
        grids.append(grid)
    return grids


def _restride(module: nn.Module, grid: Grid, output_stride: int | None) -> Grid:
    """The grid after `module`, whose windows are changed in place to suit the grid that enters it."""
    if isinstance(module, nn.Conv2d | nn.MaxPool2d):
        return _restride_window(module, grid, output_stride)
    if isinstance(module, PaddedShortcut):
        module.stride, after = _step(grid, module.stride, output_stride)
        return after
    if isinstance(module, CeilMaxPool2d):
        stride, after = _step(grid, module.stride, output_stride, shift=(module.kernel_size - 1) * module.dilation / 2)
        if stride < module.stride:  # the pooling changes its far edge, too, so that it takes its stride away itself
            module.take_stride(grid.stretch)
        return after
    if isinstance(module, SameMaxPool2d | SameAvgPool2d):
        module.stride, after = _step(grid, module.stride, output_stride)
        module.dilation *= grid.stretch
        return after
    if isinstance(module, nn.AvgPool2d):
        shift = (_per_axis(module.kernel_size) - 1) / 2 - _per_axis(module.padding)
        _, after = _step(grid, _per_axis(module.stride), output_stride, shift=shift)
        if after.stretch > 1:
            raise SettingsError(f"output_stride {output_stride}: an average pooling cannot be dilated")
        return after
    after = grid  # a module without a window, or a block: the grid goes through its chain of children
    for name, child in module.named_children():
        if name in getattr(module, "parallel_children", ()):
            _restride(child, grid, output_stride)
        else:
            after = _restride(child, after, output_stride)
    return after


def _restride_window(window: nn.Conv2d | nn.MaxPool2d, grid: Grid, output_stride: int | None) -> Grid:
    """The grid after a window, which is changed in place: on a stretched grid its pixels lie further apart."""
    stride, padding, dilation = (_per_axis(size) for size in (window.stride, window.padding, window.dilation))
    shift = (_per_axis(window.kernel_size) - 1) * dilation / 2 - padding
    stride, after = _step(grid, stride, output_stride, shift=shift)
    window.stride = (stride, stride)
    window.padding = (padding * grid.stretch,) * 2
    window.dilation = (dilation * grid.stretch,) * 2
    return after


def _step(grid: Grid, stride: int, output_stride: int | None, *, shift: float = 0.0) -> tuple[int, Grid]:
    """The stride with which a window goes on, 1 if its own was taken away, and the grid after it.

    shift  positions from the first one to the centre of the first window; 0 where padding centres it there
    """
    first_px = grid.first_px + shift * grid.stride * grid.stretch
    if output_stride is not None and grid.stride * stride > output_stride:
        return 1, Grid(grid.stride, grid.stretch * stride, first_px)
    return stride, Grid(grid.stride * stride, grid.stretch, first_px)


def _per_axis(size: int | str | tuple[int, ...]) -> int:
    """The one value of a size that may be given for each axis: all windows here are square."""
    both = {size} if isinstance(size, int | str) else {*size}
    (value,) = both
    assert isinstance(value, int)
    return value
