"""The differences of a net of ours from what one of Darknet's cfg files says."""

from collections.abc import Iterator

from torch import nn

from resvision.classification.darknet import ConvBlock, DarknetOrdered
from resvision.core.errors import WeightsError
from resvision.detection.parts.cell_grids import CellGrids
from resvision.weights.darknet_cfg import Cfg, Layer

CELL_PX = 32
SHOWN = 3
"""The most differences that are told."""


def differences(cfg: Cfg, net: nn.Module) -> list[str]:
    """The differences of a net of ours from what a cfg says, a line each, the first few of them; none for the same."""
    ours = [*_layers_of(net)]
    lines = [*_other_differences(cfg, net)]
    if len(ours) != len(cfg.layers):
        lines.append(f"{len(cfg.layers)} layers with weights, and {len(ours)} here")
    for number, (theirs, own) in enumerate(zip(cfg.layers, ours, strict=False), start=1):
        if not theirs.is_like(own):
            lines.append(f"line {theirs.line}, layer {number}: {theirs}; here {own}")
    rest = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"{rest} more"] if rest > 0 else [])]


def anchors_px(cfg: Cfg) -> tuple[float, ...]:
    """The anchors of a cfg in pixels; those of one map count in its cells, of 32 pixels."""
    return cfg.anchors if cfg.masks else tuple(CELL_PX * value for value in cfg.anchors)


def _other_differences(cfg: Cfg, net: nn.Module) -> Iterator[str]:
    """Yield differences of classes, grid, anchors and the size of images, where a net has these."""
    compared: dict[str, tuple[object, object]] = {"classes": (cfg.classes, getattr(net, "num_classes", cfg.classes))}
    if cfg.grid is not None and (grid := getattr(net, "grid", None)) is not None:
        compared["side and num"] = (cfg.grid, (grid.cells, grid.boxes))
    if (size := getattr(net, "input_size", None)) is not None:
        compared["height and width"] = (cfg.image[1:], (size, size))
    if cfg.anchors and (grids := getattr(net, "grids", None)) is not None:
        compared["anchors"], compared["mask"] = _anchors(cfg, grids)
    for name, (theirs, own) in compared.items():
        if theirs != own:
            yield f"{name} {_listed(theirs)}; here {_listed(own)}"


def _anchors(cfg: Cfg, grids: CellGrids) -> tuple[tuple[object, object], tuple[object, object]]:
    """The anchors and the masks of a cfg and of a net, a pair each.

    A cfg lists the anchors of its finest map first, and its maps from the coarsest on, as nets do. Anchors are in
    pixels.
    """
    maps = [*grids.shapes.values()]
    own = tuple(value for shapes in reversed(maps) for shape in shapes for value in shape)
    theirs = anchors_px(cfg)
    is_same = len(own) == len(theirs) and all(map(_are_close, theirs, own))
    counts = [len(shapes) for shapes in maps]
    masks = tuple(sum(counts) - sum(counts[: rank + 1]) + place for rank, n in enumerate(counts) for place in range(n))
    return (theirs, theirs if is_same else own), (cfg.masks, masks if cfg.masks else ())


def _are_close(first: float, second: float) -> bool:
    return abs(first - second) <= 1e-3 * max(first, second)


def _listed(values: object) -> str:
    if not isinstance(values, tuple):
        return str(values)
    return ",".join(f"{value:g}" for value in values)


def _layers_of(net: nn.Module) -> Iterator[Layer]:
    """Yield the layers of a net of ours; WeightsError for one that Darknet does not have."""
    if not isinstance(net, DarknetOrdered):
        raise WeightsError(f"{type(net).__name__} is no net of Darknet, which a cfg could describe")
    for layer in net.darknet_order():
        if isinstance(layer, nn.Linear):
            yield Layer("connected", layer.in_features, layer.out_features, 0, 1, False, _is_leaky(net, layer))
        else:
            conv = layer.conv if isinstance(layer, ConvBlock) else layer
            assert isinstance(conv, nn.Conv2d), "layers of Darknet are these"
            is_normalized = isinstance(layer, ConvBlock) and isinstance(layer.bn, nn.BatchNorm2d)
            window, stride = conv.kernel_size[0], conv.stride[0]
            yield Layer(
                "convolutional",
                conv.in_channels,
                conv.out_channels,
                window,
                stride,
                is_normalized,
                isinstance(layer, ConvBlock),
            )


def _is_leaky(net: nn.Module, layer: nn.Module) -> bool:
    """Whether the module behind a layer is a leaky ReLU."""
    modules = [*net.modules()]
    behind = modules[modules.index(layer) + 1 :][:1]
    return any(isinstance(module, nn.LeakyReLU) for module in behind)
