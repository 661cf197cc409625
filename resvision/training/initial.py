"""Initial weights of a net from a file, except in parts that are named."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.plurals import counted
from resvision.training.checkpoints import State, misfits, read_weights, result_weights, same_layer

Read = Callable[[Path], State]
"""A function that gives the tensors of a file by name."""


def weights_file(path: Path) -> Path:
    """The safetensors file of a path: itself, or the result of a run folder; SettingsError where it is neither."""
    if path.is_dir():
        return result_weights(rundir.require(path)).resolve()
    if not path.is_file():
        fault = "neither a regular file nor a run folder" if path.exists() else "no such file or run folder"
        raise SettingsError(f"model.init_from: {path}: {fault}")
    return path.resolve()


def read_initial(path: Path) -> State:
    """The tensors of a safetensors file; RunError, with the remedy, where it is none."""
    try:
        return read_weights(path)
    except RunError as error:
        if path.suffix == ".safetensors":
            raise
        raise RunError(f"{error}; `resvision convert FILE MODEL` makes safetensors of a state dict") from None


def initial_state(net: nn.Module, path: Path, *, fresh: Sequence[str], read: Read = read_initial) -> State:
    """The weights of a file for `net`, by name, but the net's own under the names in `fresh`, such as `fc`.

    A convolution over all pixels and a linear layer are turned into each other.
    Raises SettingsError for a name in `fresh` that neither has, and, with the remedy, where the others do not fit.
    """
    own, file = net.state_dict(), read(path)
    for name in fresh:
        if not any(under([name], key) for key in (*own, *file)):
            children = ", ".join(child for child, _ in net.named_children())
            raise SettingsError(f"model.init_except: neither the net nor {path} has a {name!r}; the net has {children}")
    taken = {key: _like(own.get(key), tensor) for key, tensor in file.items() if not under(fresh, key)}
    wanted = {key: tensor for key, tensor in own.items() if not under(fresh, key)}
    if faults := misfits(wanted, taken):
        shown = "; ".join(sorted(faults.values())[:3])
        afresh = [*fresh, *_parts(faults, (*wanted, *taken))]
        remedy = f"start those parts afresh by --set model.init_except={','.join(afresh)}"
        if {key.partition(".")[0] for key in wanted} <= {key.partition(".")[0] for key in faults}:
            remedy = "they are of another net"
        raise SettingsError(f"model.init_from: {path}: {len(faults)} tensors do not fit the net: {shown}; {remedy}")
    return {**own, **taken}


ENCODERS = ("backbone.body.", "backbone.")
"""Prefixes of the names of a classification net inside a larger one: under a feature pyramid, and alone."""


@runtime_checkable
class NamesEncoder(Protocol):
    """A net that says itself which of its weights are an encoder's, where that is no part of it under one name."""

    def encoder_names(self) -> dict[str, str]:
        """The encoder's names of these weights, by the net's own names."""
        ...


def encoder_state(net: nn.Module, path: Path, *, read: Read = read_initial) -> State:
    """The net's weights, its encoder's taken from a classification net's file: as its backbone, or by name.

    Of the file of a net that stands on a backbone, the backbone alone is taken. A linear layer becomes a convolution
    over the same pixels. Raises SettingsError where nothing of the file is in the net, or not all of the net's backbone
    is in the file.
    """
    own, file = net.state_dict(), read(path)
    inside, inside_file = _encoder_prefix(own), _encoder_prefix(file)
    given = {key.removeprefix(inside_file): tensor for key, tensor in file.items() if key.startswith(inside_file)}
    names = {key: key.removeprefix(inside) for key in own}
    wanted = [key for key in own if inside and key.startswith(inside)]
    if isinstance(net, NamesEncoder):
        names = net.encoder_names()
        wanted = [*names]
    taken = {
        key: given[name].reshape(own[key].shape)
        for key, name in names.items()
        if name in given and given[name].numel() == own[key].numel()
    }
    missing = [key for key in wanted if key not in taken]
    if missing or not taken:
        shown = f", such as {missing[0]}" if missing else ""
        raise SettingsError(
            f"model.encoder_from: {path}: has the weights of another net: not in it, or of another shape:"
            f" {counted(len(missing) or len(own), 'tensor')}{shown}"
        )
    return {**own, **taken}


def _encoder_prefix(keys: Iterable[str]) -> str:
    """The prefix of the names of an encoder among these, none where there is no encoder under one name."""
    names = [*keys]
    return next((prefix for prefix in ENCODERS if any(name.startswith(prefix) for name in names)), "")


def under(names: Iterable[str], key: str) -> bool:
    """Whether a weight belongs to one of the parts: `fc.weight` is under `fc`."""
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _like(wanted: Tensor | None, tensor: Tensor) -> Tensor:
    """The tensor in the shape that the net wants, where both can be of one layer."""
    return tensor if wanted is None or not same_layer(wanted, tensor) else tensor.reshape(wanted.shape)


def modules_of(some: Collection[str], keys: Iterable[str]) -> list[str]:
    """The largest modules all of whose weights are among some of `keys`, in the order of `keys`: `fc`, `layer1`."""
    names = [*keys]
    mixed = {key[: dot.start()] for key in {*names} - {*some} for dot in re.finditer(r"\.", key)}  # above other weights
    modules: dict[str, None] = {}
    for key in filter(some.__contains__, names):
        above = [key[: dot.start()] for dot in re.finditer(r"\.", key)] or [key]
        modules[next((name for name in above if name not in mixed), above[-1])] = None
    return [*modules]


def _parts(faults: Collection[str], keys: Iterable[str]) -> list[str]:
    """The largest modules in which no weight of `keys` is sound; the net's own children where those are many."""
    modules = modules_of(faults, keys)
    return sorted(modules) if len(modules) <= 3 else sorted({key.partition(".")[0] for key in faults})
