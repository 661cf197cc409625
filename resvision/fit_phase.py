"""A fit, carried out in its folder: called with the results of its parents, its tensors and its evaluation written.

The folder holds `fit.json`, the fit as it was asked for and the seconds that it took; `weights.safetensors` and
`evaluation.json`, the last written last; and `scratch`, the files that a fit which was stopped goes on from.
"""

import math
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from safetensors.torch import save

from resvision.core import references, rundir
from resvision.core.errors import RunError, SettingsError, Stopped
from resvision.core.settings import differences, from_json, to_json
from resvision.kinds.kind import Kind
from resvision.training.stopping import StopSignals
from resvision.training_graph import FitInputs, FitPhase, Fitted, is_ours

FIT_FORMAT = 1

SECONDS = "seconds"
"""The name in fit.json of the time that the function took, over all starts of it."""


def carry_out_fit(
    phase: FitPhase,
    folder: Path,
    parents: Mapping[str, Path],
    console: Console,
    *,
    kind: Kind[Any, Any, Any] | None,
    allow_code: bool,
) -> str:
    """Call the function of a fit unless its folder is done, and return its figures in a line.

    parents  folders of the phases that it stands on, by their roles
    kind     of the runs beside it, in whose words its figures are said; None where there are none

    Raises RunError where the folder holds another fit or is damaged, SettingsError where the function gives no fit,
    and Stopped after a stop signal.
    """
    # folders stand in fit.json by name alone, so that the whole may be moved
    asked = replace(phase, parents={role: parent.name for role, parent in parents.items()})
    with StopSignals() as stop:
        if not (folder / rundir.FIT).is_file():
            rundir.claim(folder)
        with rundir.locked(folder):
            _begin(asked, folder)
            if not (folder / rundir.EVALUATION).is_file():
                scratch = folder / rundir.SCRATCH
                if scratch.is_symlink():
                    raise RunError(f"{scratch}: is a link; remove it")
                scratch.mkdir(exist_ok=True)
                inputs = FitInputs(
                    parents=parents,
                    options=phase.options,
                    data=phase.data,
                    scratch=scratch,
                    console=console,
                    leave_if_stopped=lambda: _leave_if_stopped(stop),
                    allow_code=allow_code,
                )
                with _timed(folder):
                    fitted = _call_fit(phase.fit, inputs)
                _write(fitted, folder)
            shutil.rmtree(folder / rundir.SCRATCH, ignore_errors=True)
            figures = _figures(rundir.read_json(folder / rundir.EVALUATION), folder)
            return _figures_in_words(figures, kind)


def _begin(asked: FitPhase, folder: Path) -> None:
    """Write the fit into fit.json; RunError with the differences where that holds another fit."""
    path = folder / rundir.FIT
    if not path.is_file():
        rundir.write_json(path, {"format": FIT_FORMAT, **to_json(asked)})
        return
    data = rundir.read_json(path)
    if not isinstance(data, dict) or data.get("format") != FIT_FORMAT:
        raise RunError(f"{path}: damaged, or not of format {FIT_FORMAT}, which this version of resvision reads")
    try:
        begun = from_json(FitPhase, {key: value for key, value in data.items() if key not in {"format", SECONDS}})
    except SettingsError as error:
        raise RunError(f"{path}: {error}") from None
    if differing := differences(begun, asked):
        listed = "; ".join(
            f"{path} is {begun_value!r}, asked {asked_value!r}" for path, begun_value, asked_value in differing
        )
        raise RunError(f"{folder}: is another fit: {listed}; move it away, or start all phases in a new folder")


@contextmanager
def _timed(folder: Path) -> Iterator[None]:
    """Add the seconds that the block takes to those in fit.json, also where it is stopped."""
    path, since = folder / rundir.FIT, time.monotonic()
    try:
        yield
    finally:
        taken = fit_seconds(folder) + time.monotonic() - since
        rundir.write_json(path, {**rundir.read_json(path), SECONDS: round(taken, 3)})


def fit_seconds(folder: Path) -> float:
    """The time that a fit took, over all starts of it but those that were killed; 0 where it has not begun."""
    return float(rundir.read_json(folder / rundir.FIT).get(SECONDS, 0.0))


def _leave_if_stopped(stop: StopSignals) -> None:
    stop.defer()
    if stop.signal:
        raise Stopped(stop.signal, kept=False)


def _call_fit(name: str, inputs: FitInputs) -> Fitted:
    """Call the function of a fit; SettingsError where its result is not Fitted with figures that are numbers."""
    function = references.load(name, noun="fit")
    with nullcontext() if is_ours(name) else references.own_code(name):
        fitted = function(inputs)
    if not isinstance(fitted, Fitted):
        raise SettingsError(f"{name}: gave {type(fitted).__name__}, not a resvision.training_graph.Fitted")
    for figure, value in fitted.evaluation.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise SettingsError(f"{name}: its evaluation has {figure} = {value!r:.60}, which is not a finite number")
    if not fitted.evaluation:
        raise SettingsError(f"{name}: its evaluation has no figure; give one that says how good the fit is")
    return fitted


def _write(fitted: Fitted, folder: Path) -> None:
    """Write the artefacts of a fit, its evaluation last, which marks the phase as done."""
    tensors = {name: torch.as_tensor(tensor).detach().cpu().contiguous() for name, tensor in fitted.tensors.items()}
    rundir.write_bytes(folder / rundir.WEIGHTS, save(tensors))
    rundir.write_json(folder / rundir.EVALUATION, dict(fitted.evaluation))


def _figures(data: Any, folder: Path) -> dict[str, float]:
    if not isinstance(data, dict) or not all(isinstance(value, int | float) for value in data.values()):
        raise RunError(f"{folder / rundir.EVALUATION}: damaged: expected figures by name")
    return data


def _figures_in_words(figures: Mapping[str, float], kind: Kind[Any, Any, Any] | None) -> str:
    """The figures of a fit in a line, those that runs of the kind have in their form; None where there is no run."""
    own = () if kind is None else kind.figures
    return ", ".join(
        f"{kind.noun(name)} {kind.write(name, value)}"
        if kind is not None and name in own
        else f"{name.replace('_', ' ')} {value:,}"
        if isinstance(value, int)
        else f"{name.replace('_', ' ')} {value:.6g}"
        for name, value in figures.items()
    )
