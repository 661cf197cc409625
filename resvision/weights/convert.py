"""State dicts from elsewhere, fitted to a net of ours: tensors are taken, reshaped, or reported as misfits.

Glossary
    own    the net's state dict, on the meta device if need be
    given  the file's, by our names
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from resvision.training.checkpoints import State, same_layer

Shapes = Mapping[str, tuple[int, ...]]


class Fit(NamedTuple):
    """A fitted state dict, complete where nothing is missing, unexpected or misshapen; these tell faults by name."""

    state: State
    missing: dict[str, str]
    unexpected: dict[str, str]
    misshapen: dict[str, str]
    reshaped: dict[str, str]
    cast: dict[str, str]

    @property
    def faults(self) -> dict[str, str]:
        """The fault of every name that does not fit."""
        return {**self.missing, **self.unexpected, **self.misshapen}


def fit(own: State, given: State) -> Fit:
    """Fit `given` to the net's tensors.

    A convolution over all pixels and a linear layer are turned into each other, and floats of another precision into
    the net's.
    """
    result = Fit({}, {}, {}, {}, {}, {})
    for name in own.keys() - given.keys():
        result.missing[name] = f"missing {name} {_shape(own[name])}"
    for name in given.keys() - own.keys():
        result.unexpected[name] = f"unexpected {name} {_shape(given[name])}"
    for name in [name for name in own if name in given]:
        wanted, tensor = own[name], given[name]
        if not same_layer(wanted, tensor):
            result.misshapen[name] = f"{name} is {_shape(tensor)}, not {_shape(wanted)}"
            continue
        if wanted.is_floating_point() != tensor.is_floating_point() or tensor.is_complex():
            result.misshapen[name] = f"{name} is {_dtype(tensor)}, not {_dtype(wanted)}"
            continue
        if tensor.shape != wanted.shape:
            result.reshaped[name] = f"{_shape(tensor)} to {_shape(wanted)}"
        if tensor.dtype != wanted.dtype:
            result.cast[name] = f"{_dtype(tensor)} to {_dtype(wanted)}"
        result.state[name] = tensor.reshape(wanted.shape).to(wanted.dtype).clone(memory_format=torch.contiguous_format)
    return result


def value_from_shapes(shapes_at: Callable[[int], Shapes], given: State, *, at: int) -> int | None:
    """The value of a net's option that follows from the file's shapes, None where none does.

    shapes_at  the shapes of the net's tensors at a value of the option
    at         a value that may be built

    It is read off sides that grow evenly with the option: the width of the last layer by the number of classes, say.
    """
    shapes_here, shapes_next = shapes_at(at), shapes_at(at + 1)
    for name in [name for name in shapes_here if name in given]:
        if len(given[name].shape) != len(shapes_here[name]):
            continue
        for size, side, next_side in zip(given[name].shape, shapes_here[name], shapes_next[name], strict=True):
            steps, rest = divmod(size - side, next_side - side) if next_side != side else (0, 1)
            if rest == 0 and at + steps > 0:
                return at + steps
    return None


def modules_that_differ(first: Shapes, second: Shapes) -> tuple[str, ...]:
    """The modules whose tensors have other shapes in two nets with the same names, in order."""
    names = [name.rpartition(".")[0] or name for name in first if first[name] != second[name]]
    return tuple(dict.fromkeys(names))


def shapes(state: State) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor by name."""
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
