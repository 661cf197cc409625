"""Checkpoints: weights and state in one directory, written whole or not at all.

`step-N/` is written beside its place, flushed, and renamed; then the pointer `last` is replaced, then `best` where
validation judges the run. A crash at any moment leaves the previous checkpoint in force. The learning rate and all
randomness follow from the step number, so neither is stored.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from resvision.core import files, rundir
from resvision.core.drafts import draft_folder, real_folder, remove, sweep, sync_folder
from resvision.core.errors import RunError, printable
from resvision.training.ema import MovingAverage

FORMAT = 1
KEPT = 2  # the newest, and the one before it
LONGEST_POINTER = 100  # bytes of the name of a checkpoint

State = dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run directory."""

    folder: Path

    def save(
        self,
        step: int,
        *,
        net: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: MovingAverage | None,
        best: int = 0,
    ) -> Path:
        """Write the checkpoint after `step` steps, unless `last` names it; a failed write leaves the old one good.

        `best` is the step of the best weights so far, 0 where nothing judges them; its checkpoint is never dropped.
        Raises RunError where the write fails.
        """
        folder, previous = self.place(step), self.last()
        still_good = f"the checkpoint {previous} is still good" if previous else "no checkpoint was written yet"
        try:
            if folder != previous:
                self._write_whole(step, net=net, optimizer=optimizer, average=average)
                rundir.write_text(self._root / rundir.LAST, folder.name + "\n")
            self.name_best(best)
            self._drop_older_than(step, except_step=best)
        except RunError as error:
            raise RunError(f"{error}; {still_good}") from None
        except OSError as error:
            raise RunError(f"{rundir.unwritable(folder, error)}; {still_good}") from None
        except SafetensorError as error:
            raise RunError(f"{rundir.unwritable(folder, os_error(error))}; {still_good}") from None
        return folder

    def place(self, step: int) -> Path:
        """The folder of the checkpoint after `step` steps."""
        return self._root / f"step-{step}"

    def name_best(self, step: int) -> None:
        """Point `best` at the checkpoint after `step` steps; 0 where there is none, which changes nothing."""
        if not step or self.best() == self._root / f"step-{step}":
            return
        rundir.write_text(self._root / rundir.BEST, f"step-{step}\n")
        self.best()

    def last(self) -> Path | None:
        """The folder of the checkpoint in force, None before the first; RunError where the pointer leads nowhere."""
        return self._folder_named_in(rundir.LAST)

    def best(self) -> Path | None:
        """The folder of the checkpoint that validation chose, None where it chose none; RunError as for `last`."""
        return self._folder_named_in(rundir.BEST)

    def _folder_named_in(self, name: str) -> Path | None:
        pointer = self._root / name
        if not pointer.exists():
            return None
        try:
            folder = self._root / files.read_whole(pointer, LONGEST_POINTER).decode(errors="replace").strip()
        except OSError as error:
            raise RunError(f"{pointer}: cannot be read: {error.strerror}") from None
        if folder.parent != self._root or not (folder / rundir.STATE).is_file():
            raise RunError(f"{pointer}: names {printable(folder.name)!r}, which is not a checkpoint of this run")
        return folder

    def restore(self, *, net: nn.Module, optimizer: torch.optim.Optimizer, average: MovingAverage | None) -> int:
        """Load the last checkpoint in place, and return the number of steps done, 0 where there is none."""
        folder = self.last()
        if folder is None:
            return 0
        state = rundir.read_json(folder / rundir.STATE)
        if not isinstance(state, dict) or not {"format", "step", "optimizer"} <= state.keys():
            raise RunError(f"{folder / rundir.STATE}: damaged, it lacks format, step or optimizer")
        if state["format"] != FORMAT:
            raise RunError(f"{folder}: checkpoint format {state['format']!r:.60}, this version reads {FORMAT}")
        step, numbers = state["step"], state["optimizer"]
        if type(step) is not int or folder != self.place(step) or not isinstance(numbers, dict):
            raise RunError(f"{folder / rundir.STATE}: damaged, its step or its optimizer is not this checkpoint's")
        optimizer_file = rundir.require_state(folder)
        load_weights(net, folder / rundir.WEIGHTS)
        if average is not None:
            for name, tensor in _fitting(average.state, folder / rundir.AVERAGED_WEIGHTS).items():
                average.state[name].copy_(tensor)
        tensors = read_weights(optimizer_file)
        if not _restore_optimizer(optimizer, tensors, numbers):
            raise RunError(f"{optimizer_file}: the optimizer's state does not fit the net")
        return step

    @property
    def _root(self) -> Path:
        return self.folder / rundir.CHECKPOINTS

    def _write_whole(
        self, step: int, *, net: nn.Module, optimizer: torch.optim.Optimizer, average: MovingAverage | None
    ) -> None:
        folder = self.place(step)
        sweep(real_folder(self._root), ours=True)
        with draft_folder(folder) as draft:
            write_tensors(draft / rundir.WEIGHTS, net.state_dict())
            if average is not None:
                write_tensors(draft / rundir.AVERAGED_WEIGHTS, average.state)
            tensors, numbers = _flat(optimizer.state_dict()["state"])
            write_tensors(draft / rundir.OPTIMIZER, tensors)
            rundir.write_json(draft / rundir.STATE, {"format": FORMAT, "step": step, "optimizer": numbers})
            sync_folder(draft)
            if os.path.lexists(folder):  # written by a run that was killed before `last` named it
                remove(folder)
            draft.rename(folder)
        sync_folder(self._root)

    def _drop_older_than(self, step: int, *, except_step: int) -> None:
        names = [path.name.removeprefix("step-") for path in self._root.glob("step-*")]
        steps = sorted(int(name) for name in names if name.isdecimal())
        for old in [other for other in steps if other <= step][:-KEPT]:
            if old != except_step:
                remove(self._root / f"step-{old}")


def result_weights(folder: Path) -> Path:
    """The weights file of a run's result: averaged weights where it kept an average.

    They are those of its best checkpoint where validation chose one, and of its last one otherwise.
    """
    checkpoint = Checkpoints(folder).best() or Checkpoints(folder).last()
    if checkpoint is None:
        raise RunError(f"{folder}: has no checkpoint yet; train it further with --resume {folder}")
    averaged = checkpoint / rundir.AVERAGED_WEIGHTS
    return averaged if averaged.is_file() else checkpoint / rundir.WEIGHTS


def read_weights(path: Path) -> State:
    """Read the tensors of a safetensors file by name; RunError where it is missing or damaged."""
    try:
        files.require_tensors(path)
        state: State = load_file(path)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else printable(str(error))[:200]
        raise RunError(f"{path}: cannot be read as safetensors: {reason}") from None
    return state


def load_weights(net: nn.Module, path: Path) -> None:
    """Load a safetensors file into `net`, strictly; RunError names keys that are missing, extra or of other shape."""
    net.load_state_dict(_fitting(net.state_dict(), path))


def load_state(net: nn.Module, state: State, *, name: str) -> None:
    """Load tensors into `net`, strictly; RunError, which calls them by `name`, as for `load_weights`."""
    net.load_state_dict(_checked(net.state_dict(), state, name=name))


def _fitting(wanted: State, path: Path) -> State:
    """Read a file whose tensors must have the names and shapes of `wanted`; RunError where they differ."""
    return _checked(wanted, read_weights(path), name=str(path))


def _checked(wanted: State, state: State, *, name: str) -> State:
    if faults := misfits(wanted, state):
        shown = "; ".join(sorted(faults.values())[:3])
        raise RunError(f"{name}: the weights do not fit the net, {len(faults)} keys differ: {shown}")
    return state


def misfits(wanted: State, given: State) -> dict[str, str]:
    """The faults of given weights, by key: missing, unexpected, or of another shape."""
    faults = {name: f"missing {name}" for name in wanted.keys() - given.keys()}
    faults |= {name: f"unexpected {name}" for name in given.keys() - wanted.keys()}
    for name in wanted.keys() & given.keys():
        if given[name].shape != wanted[name].shape:
            faults[name] = f"{name} is {tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
    return faults


def same_layer(wanted: Tensor, tensor: Tensor) -> bool:
    """Whether two weights can be of one layer.

    Their shapes are equal, or one has the kernels of a convolution and the other as long rows of a linear layer.
    """
    if tensor.shape == wanted.shape:
        return True
    flat = {tensor.ndim, wanted.ndim} == {2, 4}
    return flat and tensor.shape[0] == wanted.shape[0] and tensor.numel() == wanted.numel()


def write_tensors(path: Path, tensors: State, about: dict[str, str] | None = None) -> None:
    """Write a safetensors file, with texts `about` it in its header, and flush it to disk."""
    path.touch()
    mode = path.stat().st_mode  # safetensors would let nobody else read it
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path, about)
    path.chmod(mode)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def os_error(error: SafetensorError) -> OSError:
    """The system's error behind an error of safetensors, which gives it as text: `... (os error 28)`."""
    number = re.search(r"os error (\d+)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(str(error))


def _flat(state: dict[int, dict[str, Any]]) -> tuple[State, dict[str, Any]]:
    """An optimizer's state as tensors and as plain values, both by `<parameter>.<name>`."""
    flat = {f"{index}.{name}": value for index, entry in state.items() for name, value in entry.items()}
    tensors = {key: value for key, value in flat.items() if isinstance(value, Tensor)}
    return tensors, {key: value for key, value in flat.items() if key not in tensors}


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: State, numbers: dict[str, Any]) -> bool:
    """Load an optimizer's state; False, and nothing done, where it is not the state of these parameters.

    Each parameter has the same entries, or none if it never had a gradient.
    """
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **numbers}.items():
        index, _, name = key.partition(".")
        if not index.isdecimal() or int(index) >= len(parameters):
            return False
        parameter = parameters[int(index)]
        if isinstance(value, Tensor) and value.ndim:  # else a count of steps
            if value.shape != parameter.shape:
                return False
            # the parameter's own memory format, in which the optimizer would have made it
            value = torch.empty_like(parameter).copy_(value)
        state.setdefault(int(index), {})[name] = value
    if len({frozenset(entry) for entry in state.values()}) > 1:
        return False
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return True
