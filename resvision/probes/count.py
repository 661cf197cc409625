"""Parameters, multiply-adds and receptive field of any net, without running it on numbers.

The net is copied onto the meta device and run once; every tensor operation is traced, functional ones too.

MACs     multiply-adds of convolutions, transposed convolutions and linear layers. Bias, normalization,
         activation, pooling and element-wise addition are not counted, nor are products of two activations.
         He et al. 2015 print this number and call it FLOPs ("multiply-adds").
field    pixels of the input, along one side, on which one position of a map depends
depth    weighted layers on the longest path, as the papers count them
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from resvision.layers.pooling import SameAvgPool2d
from resvision.probes.receptive import Axis, Trace, axes_after, merge, size_along
from resvision.probes.shapes import Shapes, image_for, on_meta, run, tensors, watched


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One call of one module, in the order of execution.

    name               dotted, as in the net; empty for operations of the net itself
    kind               class and, where it has one, window: "Conv2d 3x3 /2"
    shape              of the output for one image, without N
    params             of the module itself, at its first call; 0 afterwards
    macs               for one image
    receptive_field    in input pixels; None once positions see the whole image
    stride             input pixels between neighbours; None once positions see the whole image
    depth              weighted layers on the longest path up to its output
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    params: int
    macs: int
    receptive_field: int | None
    stride: int | float | None
    depth: int


@dataclass(frozen=True, kw_only=True)
class Count:
    """Parameters, multiply-adds and layers of a net for one image of shape `input` (C, H, W).

    receptive_field  the largest among maps whose positions do not see the whole image; None without such a map
    outputs          shapes, without N, that all modules give, containers too, by dotted name; "" is the net
    """

    input: tuple[int, int, int]
    params: int
    macs: int
    depth: int
    receptive_field: int | None
    layers: tuple[Layer, ...]
    outputs: Mapping[str, tuple[int, ...]] = field(repr=False)


@dataclass
class _Call:
    """A module that is running, with its input and the multiply-adds of its own operations."""

    name: str
    module: nn.Module
    input: Tensor | None
    macs: int = 0


def count(net: nn.Module, input: Sequence[int]) -> Count:
    """Count `net` for one image of shape (C, H, W), in evaluation mode. The net stays as it is.

    Raises SettingsError when such an image does not go through the net.
    """
    image = image_for(net, input)
    tape = _Tape(image)
    with on_meta(net) as bare, torch.no_grad(), watched(bare, tape.enter, tape.leave), tape:
        run(bare, image)
    channels, height, width = input
    return Count(
        input=(channels, height, width),
        params=sum(p.numel() for p in net.parameters()),
        macs=tape.macs,
        depth=tape.depth,
        receptive_field=tape.receptive_field,
        layers=tuple(tape.layers),
        outputs=tape.outputs,
    )


class _Tape(Shapes):  # type: ignore[no-untyped-call]
    """A mode that traces every operation, and knows which module runs it."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.macs = 0
        self.depth = 0
        self.receptive_field: int | None = None
        self.layers: list[Layer] = []
        self.outputs: dict[str, tuple[int, ...]] = {}
        self._running: list[_Call] = []
        self._counted: set[int] = set()
        # Tensors are kept, so that an id means one tensor as long as the tape runs.
        self._traces: dict[int, tuple[Tensor, Trace]] = {id(image): (image, Trace(0, (Axis(), Axis())))}

    def enter(self, name: str, module: nn.Module, inputs: Any) -> None:
        """Note that a module of the net starts."""
        self._running.append(_Call(name, module, next(tensors(inputs), None)))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        output = super().__torch_dispatch__(func, types, args, kwargs)
        traces = [self._traces[id(t)][1] for t in tensors((args, kwargs)) if id(t) in self._traces]
        if not traces:  # an operation on weights alone, which does not depend on the image
            return output
        operation = func._schema.name.removeprefix("aten::").removesuffix("_")
        macs = _macs(operation, args, output)
        merged = merge(traces)
        for tensor in tensors(output):
            axes = merged.axes and axes_after(operation, args, tensor, merged.axes)
            trace = Trace(merged.depth + (macs > 0), axes)
            self._traces[id(tensor)] = (tensor, trace)
            self._note(tensor, trace)
        self.macs += macs
        if self._running:  # the innermost module that runs
            self._running[-1].macs += macs
        return output

    def _note(self, tensor: Tensor, trace: Trace) -> None:
        self.depth = max(self.depth, trace.depth)
        if trace.axes is not None and tensor.dim() == 4:
            self.receptive_field = max(self.receptive_field or 0, _pixels(trace.axes))

    def leave(self, name: str, module: nn.Module, output: Any) -> None:
        """Write the row of the module that ends, if it is a leaf, or has weights or multiply-adds of its own."""
        call = self._running.pop()
        tensor = next(tensors(output), None)
        self.outputs[name] = tuple(tensor.shape[1:]) if tensor is not None else ()
        if isinstance(module, nn.LocalResponseNorm | SameAvgPool2d):
            self._trace_window(call, tensor)
        # A module that is called twice, or shares its weights, has its parameters counted once.
        own = [p for p in call.module.parameters(recurse=False) if id(p) not in self._counted]
        self._counted.update(map(id, own))
        is_leaf = not any(True for _ in call.module.children())
        if not (is_leaf or own or call.macs):
            return
        trace = self._trace(tensor)
        axes = trace.axes if trace else None
        self.layers.append(
            Layer(
                name=call.name,
                kind=_kind(call.module),
                shape=self.outputs[name],
                params=sum(p.numel() for p in own),
                macs=call.macs,
                receptive_field=_pixels(axes) if axes else None,
                stride=_whole(max(axis.j for axis in axes)) if axes else None,
                depth=trace.depth if trace else 0,
            )
        )

    def _trace(self, tensor: Tensor | None) -> Trace | None:
        return self._traces[id(tensor)][1] if tensor is not None and id(tensor) in self._traces else None

    def _trace_window(self, call: _Call, output: Tensor | None) -> None:
        """Give the output of a pooling or of a local response normalization the trace of its input after its window.

        Their own operations reshape and average, and would look as if each position depended on the whole map. A
        normalization along the channels depends on its own position.
        """
        trace = self._trace(call.input)
        if trace is None or output is None:
            return
        if trace.axes is not None and isinstance(call.module, SameAvgPool2d):
            pooling = call.module
            vertical, horizontal = (axis.window(pooling.kernel_size, 1, pooling.dilation) for axis in trace.axes)
            trace = Trace(trace.depth, (vertical, horizontal))
        self._traces[id(output)] = (output, trace)
        self._note(output, trace)


def _macs(operation: str, args: tuple[Any, ...], output: Any) -> int:
    """Multiply-adds of an operation; 0 where none are counted."""
    if operation == "convolution":
        image, weight, transposed = args[0], args[1], args[6]
        # Each number of the weight is used at every position: of the result, or of the input if transposed.
        spatial: Tensor = image if transposed else output
        return int(weight.numel() * spatial.shape[0] * spatial.shape[2:].numel())
    if operation in {"mm", "addmm"}:
        first = args[1] if operation == "addmm" else args[0]
        return int(output.numel() * first.shape[1])
    return 0


def _pixels(axes: tuple[Axis, Axis]) -> int:
    return round(max(axis.r for axis in axes))


def _whole(value: float) -> int | float:
    return int(value) if value == int(value) else value


def _kind(module: nn.Module) -> str:
    """Class and window of a module, such as "Conv2d 3x3 /2"."""
    words = [type(module).__name__]
    sizes = getattr(module, "kernel_size", None)
    if isinstance(sizes, int | tuple):
        words.append(f"{size_along(sizes, 0)}x{size_along(sizes, 1)}")
    for mark, name in (("/", "stride"), ("dilation ", "dilation")):
        value = getattr(module, name, 1)
        if isinstance(value, int | tuple) and size_along(value, 0) != 1:
            words.append(f"{mark}{size_along(value, 0)}")
    return " ".join(words)
