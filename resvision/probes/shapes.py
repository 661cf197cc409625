"""Runs of a net for its shapes alone: on the meta device, without weights or drawing, and equal operations once.

torch works out the shapes of many meta operations in Python, which is slow for a net of a thousand equal layers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from resvision.core.errors import SettingsError
from resvision.probes.modes import in_mode

_FILLING = {"uniform_", "normal_", "fill_", "zero_"}


class WithoutDrawing(TorchFunctionMode):
    """A mode that initializes no weights on the meta device: there is nothing to draw, and trying is slow."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The result of the operation; where it would fill a meta tensor, that tensor as it is."""
        kwargs = kwargs or {}
        target = args[0] if args else kwargs.get("tensor")
        fills = getattr(func, "__module__", "") == "torch.nn.init" or getattr(func, "__name__", "") in _FILLING
        return target if fills and isinstance(target, Tensor) and target.is_meta else func(*args, **kwargs)


class Shapes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode that runs an operation once for inputs of equal shapes; later calls get a fresh tensor of that shape."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known: dict[Any, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The operation's result on meta."""
        kwargs = kwargs or {}
        on_meta = [tensor.is_meta for tensor in tensors((args, kwargs))]
        # The result of an operation in place, or of a view, is no fresh tensor: it shares memory with an input.
        in_place_or_view = any(result.alias_info for result in func._schema.returns)
        if in_place_or_view or not on_meta or not all(on_meta):
            return func(*args, **kwargs)
        key = (func, _signature(args), _signature(kwargs))
        if key in self._known:
            return _fresh(self._known[key])
        output = func(*args, **kwargs)
        if all(
            part is None or isinstance(part, Tensor) for part in (output if isinstance(output, tuple) else [output])
        ):
            self._known[key] = _form(output)
        return output


@contextmanager
def on_meta(net: nn.Module) -> Iterator[nn.Module]:
    """The net in evaluation mode on meta, without hooks; it takes no memory, and `net` stays as it is.

    A net that is on meta already, and has no hooks, is not copied.
    """
    if not _is_bare(net):
        yield _copied(net)
        return
    with in_mode(net, training=False):
        yield net


def _is_bare(net: nn.Module) -> bool:
    weights = [*net.parameters(), *net.buffers()]
    return all(tensor.is_meta for tensor in weights) and not any(
        module._forward_hooks or module._forward_pre_hooks for module in net.modules()
    )


def _copied(net: nn.Module) -> nn.Module:
    # deepcopy takes these from the memo, so that no weights are copied.
    memo: dict[int, Any] = {}
    for parameter in net.parameters():
        on_meta = torch.empty_like(parameter, device="meta")
        memo[id(parameter)] = nn.Parameter(on_meta, requires_grad=parameter.requires_grad)
    for buffer in net.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    copy = deepcopy(net, memo).eval()
    for module in copy.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    return copy


@contextmanager
def watched(
    net: nn.Module,
    enter: Callable[[str, nn.Module, Any], None],
    leave: Callable[[str, nn.Module, Any], None],
) -> Iterator[None]:
    """A context in which `enter` gets name, module and inputs of every module that starts, and `leave` its output."""
    names = {module: name for name, module in net.named_modules()}

    def before(module: nn.Module, inputs: Any) -> None:
        if module in names:
            enter(names[module], module, inputs)

    def after(module: nn.Module, inputs: Any, output: Any) -> None:
        if module in names:
            leave(names[module], module, output)

    handles = [register_module_forward_pre_hook(before), register_module_forward_hook(after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def image_for(net: nn.Module, input: Sequence[int]) -> Tensor:
    """One image of shape (C, H, W) on meta, as a batch, of the type that the net's weights have.

    Raises SettingsError for another shape.
    """
    if len(input) != 3 or min(input) < 1:
        raise SettingsError(f"input {'x'.join(map(str, input))}: expected CxHxW, such as 3x224x224")
    dtype = next((p.dtype for p in net.parameters() if p.is_floating_point()), torch.float32)
    return torch.empty(1, *input, dtype=dtype, device="meta")


def run(net: nn.Module, image: Tensor) -> Any:
    """The net's output for the image. Raises SettingsError where the image does not go through the net."""
    try:
        return net(image)
    except RuntimeError as error:
        shape, first_line = "x".join(map(str, image.shape[1:])), str(error).partition("\n")[0]
        raise SettingsError(f"an image of {shape} does not go through {type(net).__name__}: {first_line}") from error


def tensors(tree: Any) -> Iterator[Tensor]:
    """Every tensor in nested tuples, lists and dicts."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, Mapping | list | tuple):
        for branch in tree.values() if isinstance(tree, Mapping) else tree:
            yield from tensors(branch)


def _signature(tree: Any) -> Any:
    """The arguments as far as a result on meta depends on them: shapes and types of tensors, and all other values."""
    if isinstance(tree, Tensor):
        return (tuple(tree.shape), tree.stride(), tree.dtype, tree.device.type)
    if isinstance(tree, list | tuple):
        return tuple(map(_signature, tree))
    if isinstance(tree, dict):
        return tuple((key, _signature(value)) for key, value in tree.items())
    return (type(tree), tree)


def _form(output: Any) -> Any:
    """Shape, strides and type of a result, or of each part of it."""
    if isinstance(output, tuple):
        return [_form(part) for part in output]
    return output if output is None else (output.shape, output.stride(), output.dtype)


def _fresh(form: Any) -> Any:
    """A tensor of this form; `empty_like` would be ten times slower."""
    if isinstance(form, list):
        return tuple(map(_fresh, form))
    return form if form is None else torch.empty_strided(form[0], form[1], dtype=form[2], device="meta")
