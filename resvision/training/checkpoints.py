"""Checkpoints: weights and state in one directory, written whole or not at all.

`step-N/` is written beside its place, flushed, and renamed; then the pointer `last` is replaced. A crash at any moment
leaves the previous checkpoint in force. The learning rate and all randomness follow from the step number, so
neither is stored.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.training.ema import MovingAverage

FORMAT = 1
KEPT = 2  # the newest, and one before it

State = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run directory."""

    folder: Path

    def save(
        self, step: int, *, net: nn.Module, optimizer: torch.optim.Optimizer, average: MovingAverage | None
    ) -> Path:
        """Write the state after `step` steps; RunError, with the old checkpoint still good, where that fails."""
        place = self._root / f"step-{step}"
        beside = self._root / f".step-{step}.new"
        try:
            if beside.exists():
                shutil.rmtree(beside)
            beside.mkdir(parents=True)
            _write(beside / rundir.WEIGHTS, net.state_dict())
            if average is not None:
                _write(beside / rundir.AVERAGED_WEIGHTS, average.state)
            tensors, numbers = _flat(optimizer.state_dict()["state"])
            _write(beside / rundir.OPTIMIZER, tensors)
            rundir.write_json(beside / rundir.STATE, {"format": FORMAT, "step": step, "optimizer": numbers})
            rundir.sync_folder(beside)
            if place.exists():  # written by a run that was killed before `last` named it
                shutil.rmtree(place)
            beside.rename(place)
            rundir.sync_folder(self._root)
        except (OSError, SafetensorError) as error:
            raise RunError(f"{place}: the checkpoint cannot be written: {error}; the last one is still good") from None
        rundir.write_text(self._root / rundir.LAST, place.name + "\n")
        self._drop_older_than(step)
        return place

    def last(self) -> Path | None:
        """Directory of the checkpoint in force, None before the first; RunError where the pointer leads nowhere."""
        pointer = self._root / rundir.LAST
        if not pointer.exists():
            return None
        place = self._root / pointer.read_text(encoding="utf-8").strip()
        if not (place / rundir.STATE).is_file():
            raise RunError(f"{pointer}: names {place.name}, which is not a checkpoint")
        return place

    def restore(self, *, net: nn.Module, optimizer: torch.optim.Optimizer, average: MovingAverage | None) -> int:
        """Load the last checkpoint in place; the number of steps done, 0 where there is none."""
        place = self.last()
        if place is None:
            return 0
        state = rundir.read_json(place / rundir.STATE)
        if not isinstance(state, dict) or not {"format", "step", "optimizer"} <= state.keys():
            raise RunError(f"{place / rundir.STATE}: damaged, it lacks format, step or optimizer")
        if state["format"] != FORMAT:
            raise RunError(f"{place}: checkpoint format {state['format']}, this version reads {FORMAT}")
        load_weights(net, place / rundir.WEIGHTS)
        if average is not None:
            for name, tensor in read_weights(place / rundir.AVERAGED_WEIGHTS).items():
                average.state[name].copy_(tensor)
        _restore_optimizer(optimizer, read_weights(place / rundir.OPTIMIZER), state["optimizer"])
        return int(state["step"])

    @property
    def _root(self) -> Path:
        return self.folder / rundir.CHECKPOINTS

    def _drop_older_than(self, step: int) -> None:
        names = [place.name.removeprefix("step-") for place in self._root.glob("step-*")]
        steps = sorted(int(name) for name in names if name.isdecimal())
        for old in [other for other in steps if other <= step][:-KEPT]:
            shutil.rmtree(self._root / f"step-{old}")


def result_weights(folder: Path) -> Path:
    """The weights file that a run is judged by: averaged weights where it kept an average."""
    place = Checkpoints(folder).last()
    if place is None:
        raise RunError(f"{folder}: has no checkpoint yet; train it further with --resume {folder}")
    averaged = place / rundir.AVERAGED_WEIGHTS
    return averaged if averaged.is_file() else place / rundir.WEIGHTS


def read_weights(path: Path) -> State:
    """Tensors of a safetensors file by name; RunError where it is missing or damaged."""
    try:
        state: State = load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError(f"{path}: cannot be read as safetensors: {error}") from None
    return state


def load_weights(net: nn.Module, path: Path) -> None:
    """Load a safetensors file into `net`, strictly; RunError names keys that are missing, extra or of other shape."""
    state, wanted = read_weights(path), net.state_dict()
    faults = [f"missing {name}" for name in wanted.keys() - state.keys()]
    faults += [f"unexpected {name}" for name in state.keys() - wanted.keys()]
    faults += [
        f"{name} is {tuple(state[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted.keys() & state.keys()
        if state[name].shape != wanted[name].shape
    ]
    if faults:
        shown = "; ".join(sorted(faults)[:3])
        raise RunError(f"{path}: the weights do not fit the net, {len(faults)} keys differ: {shown}")
    net.load_state_dict(state)


def _write(path: Path, tensors: State) -> None:
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _flat(state: dict[int, dict[str, Any]]) -> tuple[State, dict[str, Any]]:
    """An optimizer's state as tensors and as plain values, both by `<parameter>.<name>`."""
    flat = {f"{index}.{name}": value for index, entry in state.items() for name, value in entry.items()}
    tensors = {key: value for key, value in flat.items() if isinstance(value, Tensor)}
    return tensors, {key: value for key, value in flat.items() if key not in tensors}


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: State, numbers: dict[str, Any]) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **numbers}.items():
        index, _, name = key.partition(".")
        if isinstance(value, Tensor) and value.shape == parameters[int(index)].shape:
            # the parameter's own memory format, in which the optimizer would have made it
            value = torch.empty_like(parameters[int(index)]).copy_(value)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
