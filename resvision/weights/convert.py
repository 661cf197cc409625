"""A state dict from elsewhere, fitted to a net of ours: what is taken, what is reshaped, what does not fit.

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
    """`state` is complete where nothing is missing, unexpected or misshapen; these three say what and why, by name."""

    state: State
    missing: dict[str, str]
    unexpected: dict[str, str]
    misshapen: dict[str, str]
    reshaped: dict[str, str]
    cast: dict[str, str]

    @property
    def faults(self) -> dict[str, str]:
        """Every name that does not fit, with what is wrong."""
        return {**self.missing, **self.unexpected, **self.misshapen}


def fit(own: State, given: State) -> Fit:
    """`given` as the net wants it: a convolution over all pixels and a linear layer are turned into each other, and
    floats of another precision into the net's.
    """
    found = Fit({}, {}, {}, {}, {}, {})
    for name in own.keys() - given.keys():
        found.missing[name] = f"missing {name} {_sides(own[name])}"
    for name in given.keys() - own.keys():
        found.unexpected[name] = f"unexpected {name} {_sides(given[name])}"
    for name in [name for name in own if name in given]:
        wanted, tensor = own[name], given[name]
        if not same_layer(wanted, tensor):
            found.misshapen[name] = f"{name} is {_sides(tensor)}, not {_sides(wanted)}"
            continue
        if wanted.is_floating_point() != tensor.is_floating_point() or tensor.is_complex():
            found.misshapen[name] = f"{name} is {_kind(tensor)}, not {_kind(wanted)}"
            continue
        if tensor.shape != wanted.shape:
            found.reshaped[name] = f"{_sides(tensor)} to {_sides(wanted)}"
        if tensor.dtype != wanted.dtype:
            found.cast[name] = f"{_kind(tensor)} to {_kind(wanted)}"
        found.state[name] = tensor.reshape(wanted.shape).to(wanted.dtype).clone(memory_format=torch.contiguous_format)
    return found


def value_from_shapes(shapes_at: Callable[[int], Shapes], given: State, *, at: int) -> int | None:
    """The value of an option of a net that the file's shapes tell, None where they tell none.

    shapes_at  the shapes of the net's tensors at a value of the option
    at         a value that may be built

    Sides that grow evenly with the option are looked at: the width of the last layer by the number of classes, say.
    """
    here, there = shapes_at(at), shapes_at(at + 1)
    for name in [name for name in here if name in given]:
        if len(given[name].shape) != len(here[name]):
            continue
        for size, one, two in zip(given[name].shape, here[name], there[name], strict=True):
            steps, rest = divmod(size - one, two - one) if two != one else (0, 1)
            if rest == 0 and at + steps > 0:
                return at + steps
    return None


def modules_that_differ(first: Shapes, second: Shapes) -> tuple[str, ...]:
    """The modules whose tensors have other shapes in two nets with the same names, in order."""
    names = [name.rpartition(".")[0] or name for name in first if first[name] != second[name]]
    return tuple(dict.fromkeys(names))


def shapes(state: State) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor."""
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def _sides(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
