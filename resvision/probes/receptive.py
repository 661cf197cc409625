"""Receptive field and stride of an operation's result, from those of its inputs.

One position of a map depends on r pixels of the image along an axis, and its neighbour lies j pixels further:
r += (k - 1) d j and j *= s for every window of size k, dilation d, stride s. The largest over all paths counts.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor


class Axis(NamedTuple):
    """Receptive field r and jump j along one axis, in input pixels."""

    r: float = 1.0
    j: float = 1.0

    def window(self, size: int, stride: int, dilation: int = 1) -> "Axis":
        """Receptive field and jump after a window."""
        return Axis(self.r + (size - 1) * dilation * self.j, self.j * stride)


class Trace(NamedTuple):
    """Depth and receptive field of a tensor.

    depth  weighted layers on the longest path to it
    axes   height and width; None once every position depends on the whole image
    """

    depth: int
    axes: tuple[Axis, Axis] | None


def merge(traces: Sequence[Trace]) -> Trace:
    """The trace of an operation on several tensors: the largest of each figure."""
    depth = max(trace.depth for trace in traces)
    fields = [trace.axes for trace in traces if trace.axes is not None]
    if len(fields) < len(traces):  # one of them depends on the whole image already
        return Trace(depth, None)
    vertical, horizontal = (
        Axis(max(axis.r for axis in axes), max(axis.j for axis in axes)) for axes in zip(*fields, strict=True)
    )
    return Trace(depth, (vertical, horizontal))


def axes_after(
    operation: str, args: tuple[Any, ...], output: Tensor, axes: tuple[Axis, Axis]
) -> tuple[Axis, Axis] | None:
    """Height and width of an operation's result, from those of its inputs; None if it mixes all positions."""
    rule = _RULES.get(operation)
    if rule is not None:
        vertical, horizontal = (rule(args, axis, side, output) for side, axis in enumerate(axes))
        return vertical, horizontal
    if operation in _MIXING:
        source: Tensor = args[0]
        mixes = output.dim() < 2 or source.dim() < 2 or output.shape[-2:] != source.shape[-2:]
        return None if mixes else axes
    return axes


def _convolution(args: tuple[Any, ...], axis: Axis, side: int, output: Tensor) -> Axis:
    size = args[1].shape[2:][side]
    stride, dilation, transposed = size_along(args[3], side), size_along(args[5], side), args[6]
    if not transposed:
        return axis.window(size, stride, dilation)
    inputs = -(-((size - 1) * dilation + 1) // stride)  # under one output, at most
    return Axis(axis.r + (inputs - 1) * axis.j, axis.j / stride)


def _pooling(args: tuple[Any, ...], axis: Axis, side: int, output: Tensor, dilation: int = 1) -> Axis:
    size = size_along(args[1], side)
    return axis.window(size, size_along(args[2], side) if len(args) > 2 and args[2] else size, dilation)


def _max_pooling(args: tuple[Any, ...], axis: Axis, side: int, output: Tensor) -> Axis:
    return _pooling(args, axis, side, output, dilation=size_along(args[4], side) if len(args) > 4 else 1)


def _adaptive_pooling(args: tuple[Any, ...], axis: Axis, side: int, output: Tensor) -> Axis:
    entering, leaving = args[0].shape[2:][side], output.shape[2:][side]
    stride = max(1, entering // leaving)
    # Bins reach from one edge to the other; where the pooling enlarges, each is one pixel.
    return axis.window(entering - (leaving - 1) * stride if leaving <= entering else 1, stride)


def _slice(args: tuple[Any, ...], axis: Axis, side: int, output: Tensor) -> Axis:
    dim = args[1] if len(args) > 1 else 0
    step = args[4] if len(args) > 4 else 1
    return axis.window(1, step) if dim % output.dim() == output.dim() - 2 + side else axis


def _nearest(args: tuple[Any, ...], axis: Axis, side: int, output: Tensor) -> Axis:
    return Axis(axis.r, axis.j * args[0].shape[2:][side] / output.shape[2:][side])


def _bilinear(args: tuple[Any, ...], axis: Axis, side: int, output: Tensor) -> Axis:
    return Axis(axis.r + axis.j, _nearest(args, axis, side, output).j)


_RULES: Mapping[str, Callable[[tuple[Any, ...], Axis, int, Tensor], Axis]] = {
    "convolution": _convolution,
    "max_pool2d_with_indices": _max_pooling,
    "avg_pool2d": _pooling,
    "_adaptive_avg_pool2d": _adaptive_pooling,
    "adaptive_max_pool2d": _adaptive_pooling,
    "slice": _slice,
    "upsample_nearest2d": _nearest,
    "max_unpool2d": _nearest,
    "upsample_bilinear2d": _bilinear,
}
# Operations that make all positions depend on one another, unless height and width stay as they are.
_MIXING = {
    "mean",
    "sum",
    "amax",
    "amin",
    "max",
    "view",
    "_unsafe_view",
    "_reshape_alias",
    "reshape",
    "mm",
    "addmm",
}


def size_along(sizes: Any, side: int) -> int:
    """The size along one axis, where sizes are given once for both or per axis."""
    per_axis = [sizes] if isinstance(sizes, int) else [*sizes]
    return int(per_axis[min(side, len(per_axis) - 1)])
