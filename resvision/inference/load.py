"""A trained run, loaded from its directory: the net with its weights, and all it takes to use it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from resvision.contracts import System
from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError
from resvision.core.images import Preprocess
from resvision.run import Run, build_system, read_run
from resvision.training import machine as machines
from resvision.training.checkpoints import load_weights, result_weights


@dataclass(frozen=True)
class Trained:
    """A finished run ready for use; `system` is in evaluation mode on the device of `run.machine`."""

    folder: Path
    run: Run
    system: System
    classes: tuple[str, ...]
    preprocess: Preprocess


def load(folder: str | Path, *, device: str | None = None, allow_code: bool = False) -> Trained:
    """Load the run in `folder` with the weights of its result, averaged ones where it kept an average.

    They are those that validation chose, or those of the last checkpoint where the run holds no images out.

    device      cpu or cuda; the run's own when it is there, the CPU otherwise
    allow_code  import a model or data set of a user's own that the run names

    Raises RunError where the directory is missing, damaged, or names code of a user's own.
    """
    folder = Path(folder)
    run = read_run(folder, allow_code=allow_code)
    classes, preprocess = run.data.classes, run.data.preprocess
    if classes is None or preprocess is None:
        raise RunError(f"{folder / rundir.RUN}: was never started, its classes are not known")
    if device not in {None, "cpu", "cuda"}:
        raise SettingsError(f"device {device!r}: choices are cpu and cuda")
    machine = replace(run.machine, device=_device(device or run.machine.device))
    run = replace(run, machine=machine)
    system = build_system(run)
    load_weights(system.net, result_weights(folder))
    machines.place(system, machine, torch.device(machine.device))
    return Trained(folder, run, system.eval(), classes, preprocess)


def _device(wanted: str) -> Literal["cpu", "cuda"]:
    return "cuda" if wanted == "cuda" and torch.cuda.is_available() else "cpu"
