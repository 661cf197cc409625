"""The graph of a net's layers, traced in one run on the meta device.

A layer is a convolution, a linear layer, a pooling, a local response normalization, or a module that changes the shape;
operations on each value alone (normalizations, activations, dropout) are part of the layer before them. Where paths
meet there is a node of its own: `add`, `concat`, or the name of the operation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from resvision.layers.lrn import PixelResponseNorm
from resvision.layers.shortcuts import PaddedShortcut
from resvision.probes.receptive import size_along
from resvision.probes.shapes import Shapes, image_for, on_meta, run, tensors, watched

Kind = Literal["image", "convolution", "linear", "pooling", "normalization", "other", "meeting"]

MEETINGS = {"add": "add", "cat": "concat", "mul": "multiply", "sub": "subtract"}


@dataclass(frozen=True)
class Node:
    """A layer, or a place where paths meet.

    label   "3x3 conv, 64, /2"; "add" or "concat" for a meeting
    shape   of the output for one image, without N
    inputs  indices of the nodes whose outputs it takes, all below its own
    """

    kind: Kind
    label: str
    shape: tuple[int, ...]
    inputs: tuple[int, ...]


def graph(net: nn.Module, input: Sequence[int]) -> tuple[Node, ...]:
    """The nodes on the way from an image (C, H, W) to the net's output, in the order of execution; image first.

    Raises SettingsError when such an image does not go through the net.
    """
    image = image_for(net, input)
    tracer = _Tracer(image)
    with on_meta(net) as bare, torch.no_grad(), watched(bare, tracer.enter, tracer.leave), tracer:
        outputs = tensors(run(bare, image))
    # The first output that is computed: nets that look at regions give these back with it.
    last = next((source for output in outputs if (source := tracer.source(output))), 0)
    return _up_to(tracer.nodes, last)


class _Tracer(Shapes):  # type: ignore[no-untyped-call]
    """A mode that records, for every tensor, the node that it comes from."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.nodes = [Node("image", "image", tuple(image.shape[1:]), ())]
        self._sources: dict[int, tuple[Tensor, int]] = {id(image): (image, 0)}
        self._layer: tuple[nn.Module, Tensor] | None = None  # a layer that is running, with its input

    def source(self, tensor: Tensor) -> int | None:
        """The node that a tensor comes from."""
        return self._sources[id(tensor)][1] if id(tensor) in self._sources else None

    def enter(self, name: str, module: nn.Module, inputs: Any) -> None:
        """Note that a module starts; one without children and with one input is one layer, whatever it runs."""
        traced = [tensor for tensor in tensors(inputs) if self.source(tensor) is not None]
        is_layer = isinstance(module, PixelResponseNorm) or not any(True for _ in module.children())
        if self._layer is None and name and len(traced) == 1 and is_layer:
            self._layer = (module, traced[0])

    def leave(self, name: str, module: nn.Module, output: Any) -> None:
        """Note the layer that ends."""
        if self._layer is None or self._layer[0] is not module:
            return
        input, self._layer = self._layer[1], None
        source = self.source(input)
        assert source is not None, "`enter` looked at it"
        for tensor in tensors(output):
            label = _layer_label(module, input, tensor)
            self._note(tensor, self._add(*label, tensor, (source,)) if label else source)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and note its result if it stands between layers."""
        output = super().__torch_dispatch__(func, types, args, kwargs)
        if self._layer is not None:  # `leave` adds the layer as a whole
            return output
        traced = [tensor for tensor in tensors((args, kwargs)) if self.source(tensor) is not None]
        # A node whose output is taken twice, as in x + x, is one input.
        inputs = tuple(dict.fromkeys(self._sources[id(tensor)][1] for tensor in traced))
        if not inputs:
            return output
        operation = func._schema.name.removeprefix("aten::").removesuffix("_")
        label: tuple[Kind, str] | None = ("meeting", MEETINGS.get(operation, operation))
        for tensor in tensors(output):
            if len(inputs) == 1:
                label = _operation_label(operation, args, traced[0], tensor)
            self._note(tensor, self._add(*label, tensor, inputs) if label else inputs[0])
        return output

    def _add(self, kind: Kind, label: str, output: Tensor, inputs: tuple[int, ...]) -> int:
        self.nodes.append(Node(kind, label, tuple(output.shape[1:]), inputs))
        return len(self.nodes) - 1

    def _note(self, tensor: Tensor, source: int) -> None:
        self._sources[id(tensor)] = (tensor, source)  # kept, so that an id means one tensor


def _layer_label(module: nn.Module, input: Tensor, output: Tensor) -> tuple[Kind, str] | None:
    """Kind and label of a module without children; None if it is part of the layer before it."""
    name = type(module).__name__
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return "convolution", _window_label(module, "conv", int(output.shape[1]))
    if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        return "convolution", _window_label(module, "deconv", int(output.shape[1]))
    if isinstance(module, nn.Linear):
        return "linear", f"fc {module.out_features}"
    if isinstance(module, nn.LocalResponseNorm | PixelResponseNorm):
        return "normalization", "LRN"
    if "Pool" in name and input.dim() >= 3:
        kind = "max pool" if "Max" in name else "avg pool"
        if hasattr(module, "kernel_size"):
            return "pooling", _window_label(module, kind)
        if input.shape == output.shape:  # nothing was pooled: an average to 7x7 of a map of 7x7
            return None
        if output.shape[1] != input.shape[1]:  # spatial pyramid pooling, whose result is a vector
            return "pooling", name
        sides = "x".join(map(str, output.shape[2:]))
        return "pooling", f"global {kind}" if output[0, 0].numel() == 1 else f"{kind} to {sides}"
    if isinstance(module, PaddedShortcut):
        return "other", "zero padding"
    weighted = any(parameter.dim() > 1 for parameter in module.parameters())
    return ("other", name) if weighted or input.numel() != output.numel() else None


def _operation_label(operation: str, args: Any, input: Tensor, output: Tensor) -> tuple[Kind, str] | None:
    """Kind and label of an operation on one path, between layers; None if it is part of the layer before it."""
    if operation == "convolution":
        window, stride = "x".join(map(str, args[1].shape[2:])), size_along(args[3], 0)
        return "convolution", _comma_separated(
            f"{window} conv", str(output.shape[1]), f"/{stride}" if stride > 1 else ""
        )
    if operation in {"mm", "addmm"}:
        return "linear", f"fc {output.shape[-1]}"
    if "pool" in operation and output.dim() == 4 and input.shape != output.shape:
        return "pooling", "max pool" if "max" in operation else "avg pool"
    if operation in {"mean", "amax"} and input.dim() == 4 and output.numel() == output.shape[0] * output.shape[1]:
        return "pooling", "global avg pool" if operation == "mean" else "global max pool"
    return None


def _window_label(module: nn.Module, kind: str, channels: int | None = None) -> str:
    """The label of a layer with a window, such as "3x3 conv, 64, /2"."""
    sizes: Any = module.kernel_size
    window = f"{size_along(sizes, 0)}x{size_along(sizes, 1)}"
    stride, dilation, groups = (getattr(module, name, 1) for name in ("stride", "dilation", "groups"))
    return _comma_separated(
        f"{window} {kind}",
        "" if channels is None else str(channels),
        f"/{size_along(stride, 0)}" if size_along(stride, 0) > 1 else "",
        f"dilation {size_along(dilation, 0)}" if size_along(dilation, 0) > 1 else "",
        f"{groups} groups" if groups > 1 else "",
    )


def _comma_separated(*words: str) -> str:
    return ", ".join(word for word in words if word)


def _up_to(nodes: Sequence[Node], last: int) -> tuple[Node, ...]:
    """The nodes on which the last one depends, renumbered, and the image."""
    needed, waiting = {0, last}, [last]
    while waiting:
        new = set(nodes[waiting.pop()].inputs) - needed
        needed |= new
        waiting += new
    renumbered = {old: new for new, old in enumerate(sorted(needed))}
    return tuple(
        Node(node.kind, node.label, node.shape, tuple(renumbered[i] for i in node.inputs))
        for node in (nodes[old] for old in sorted(needed))
    )
