"""The layers of a net and how they hang together, seen in one run on the meta device.

A layer is a convolution, a linear layer, a pooling, a local response normalization, or a module that changes the shape;
what works on every value for itself (normalizations, activations, dropout) is part of the layer before it. Where paths
meet, there is a node of its own: `add`, `concat`, or the name of the operation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

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
    inputs  places in the graph of what it takes, all before its own
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
        output = next(tensors(run(bare, image)), None)
    last = None if output is None else tracer.source(output)
    return _up_to(tracer.nodes, 0 if last is None else last)


class _Tracer(Shapes):  # type: ignore[no-untyped-call]
    """Knows for every tensor the node that it comes from."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.nodes = [Node("image", "image", tuple(image.shape[1:]), ())]
        self._sources: dict[int, tuple[Tensor, int]] = {id(image): (image, 0)}
        self._closed: tuple[nn.Module, Tensor] | None = None  # a layer that is running, with its input

    def source(self, tensor: Tensor) -> int | None:
        """The node that a tensor comes from."""
        return self._sources[id(tensor)][1] if id(tensor) in self._sources else None

    def enter(self, name: str, module: nn.Module, inputs: Any) -> None:
        """What has no children and one input is one layer, whatever it runs."""
        taken = [tensor for tensor in tensors(inputs) if self.source(tensor) is not None]
        if self._closed is None and name and len(taken) == 1 and not any(True for _ in module.children()):
            self._closed = (module, taken[0])

    def leave(self, name: str, module: nn.Module, output: Any) -> None:
        """Note the layer that ends."""
        if self._closed is None or self._closed[0] is not module:
            return
        entered, self._closed = self._closed[1], None
        source = self.source(entered)
        assert source is not None, "`enter` looked at it"
        for tensor in tensors(output):
            drawn = _layer(module, entered, tensor)
            self._note(tensor, self._add(*drawn, tensor, (source,)) if drawn else source)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Follow an operation that stands between the layers."""
        output = super().__torch_dispatch__(func, types, args, kwargs)
        if self._closed is not None:
            return output
        taken = [tensor for tensor in tensors((args, kwargs)) if self.source(tensor) is not None]
        inputs = tuple(dict.fromkeys(self._sources[id(tensor)][1] for tensor in taken))
        if not inputs:
            return output
        operation = func._schema.name.removeprefix("aten::").removesuffix("_")
        drawn: tuple[Kind, str] | None = ("meeting", MEETINGS.get(operation, operation))
        for tensor in tensors(output):
            if len(inputs) == 1:
                drawn = _operation(operation, args, taken[0], tensor)
            self._note(tensor, self._add(*drawn, tensor, inputs) if drawn else inputs[0])
        return output

    def _add(self, kind: Kind, label: str, output: Tensor, inputs: tuple[int, ...]) -> int:
        self.nodes.append(Node(kind, label, tuple(output.shape[1:]), inputs))
        return len(self.nodes) - 1

    def _note(self, tensor: Tensor, source: int) -> None:
        self._sources[id(tensor)] = (tensor, source)  # kept, so that an id means one tensor


def _layer(module: nn.Module, entered: Tensor, left: Tensor) -> tuple[Kind, str] | None:
    """Kind and label of a module without children, None if it is part of what came before."""
    name = type(module).__name__
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return "convolution", _window_label(module, "conv", int(left.shape[1]))
    if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        return "convolution", _window_label(module, "deconv", int(left.shape[1]))
    if isinstance(module, nn.Linear):
        return "linear", f"fc {module.out_features}"
    if isinstance(module, nn.LocalResponseNorm):
        return "normalization", "LRN"
    if "Pool" in name and entered.dim() >= 3:
        kind = "max pool" if "Max" in name else "avg pool"
        if hasattr(module, "kernel_size"):
            return "pooling", _window_label(module, kind)
        if entered.shape == left.shape:
            return None
        if left.shape[1] != entered.shape[1]:  # not map by map
            return "pooling", name
        sides = "x".join(map(str, left.shape[2:]))
        return "pooling", f"global {kind}" if left[0, 0].numel() == 1 else f"{kind} to {sides}"
    if isinstance(module, PaddedShortcut):
        return "other", "zero padding"
    weighted = any(parameter.dim() > 1 for parameter in module.parameters())
    return ("other", name) if weighted or entered.numel() != left.numel() else None


def _operation(operation: str, args: Any, entered: Tensor, left: Tensor) -> tuple[Kind, str] | None:
    """The same for an operation between layers, on one path."""
    if operation == "convolution":
        window, stride = "x".join(map(str, args[1].shape[2:])), size_along(args[3], 0)
        return "convolution", _joined(f"{window} conv", str(left.shape[1]), f"/{stride}" if stride > 1 else "")
    if operation in {"mm", "addmm"}:
        return "linear", f"fc {left.shape[-1]}"
    if "pool" in operation and left.dim() == 4 and entered.shape != left.shape:
        return "pooling", "max pool" if "max" in operation else "avg pool"
    if operation in {"mean", "amax"} and entered.dim() == 4 and left.numel() == left.shape[0] * left.shape[1]:
        return "pooling", "global avg pool" if operation == "mean" else "global max pool"
    return None


def _window_label(module: nn.Module, kind: str, channels: int | None = None) -> str:
    """ "3x3 conv, 64, /2" """
    sizes: Any = module.kernel_size
    window = f"{size_along(sizes, 0)}x{size_along(sizes, 1)}"
    stride, dilation, groups = (getattr(module, name, 1) for name in ("stride", "dilation", "groups"))
    return _joined(
        f"{window} {kind}",
        "" if channels is None else str(channels),
        f"/{size_along(stride, 0)}" if size_along(stride, 0) > 1 else "",
        f"dilation {size_along(dilation, 0)}" if size_along(dilation, 0) > 1 else "",
        f"{groups} groups" if groups > 1 else "",
    )


def _joined(*words: str) -> str:
    return ", ".join(word for word in words if word)


def _up_to(nodes: Sequence[Node], last: int) -> tuple[Node, ...]:
    """The nodes that the last one needs, renumbered."""
    needed, waiting = {0, last}, [last]
    while waiting:
        new = set(nodes[waiting.pop()].inputs) - needed
        needed |= new
        waiting += new
    place = {old: new for new, old in enumerate(sorted(needed))}
    return tuple(
        Node(node.kind, node.label, node.shape, tuple(place[i] for i in node.inputs))
        for node in (nodes[old] for old in sorted(needed))
    )
