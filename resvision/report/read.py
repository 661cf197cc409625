"""Reading and checking of run directories, finished or not. Reaches no torch."""

import os
import re
from array import array
from collections.abc import Sequence
from math import nan, prod
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from resvision.core import history, references, rundir
from resvision.core.errors import RunError
from resvision.core.files import SETTINGS, SMALL, read_text, require_tensors
from resvision.core.settings import leaves
from resvision.kinds import table
from resvision.kinds.kind import Kind
from resvision.report.record import Evaluations, Floats, Ints, RunRecord, Steps, task_name_in
from resvision.training.best import BestSoFar

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_NEEDED = (
    "recipe",
    "model.name",
    "data.name",
    "data.train_images",
    "data.test_images",
    "training.batch_size",
    "training.duration",
    "machine.precision",
    "machine.device",
)
_COUNTS = ("data.train_images", "data.test_images", "training.batch_size")
_OPTIONAL = {
    "data.root": str,
    "data.channels": int,
    "data.image_size": int,
    "data.classes": list,
    "data.validation_images": int,
    "training.patience": int,
}
_COLUMNS = {"step", "epoch", "seconds", "images"}
_METRICS = 100
"""Most metrics of a history that is read; one with a new name on every line would take more memory than there is."""


def read_records(folders: Sequence[Path], *, allow_code: bool = False) -> list[RunRecord]:
    """The runs in these directories, each once, under names that differ.

    Raises RunError for a directory that is missing, damaged or not of a run, where none is named, and where a run's
    task is a user's own code and `allow_code` is not given.
    """
    places = list({folder.resolve(): folder for folder in folders}.values())
    if not places:
        raise RunError("no run is named; name at least one run directory")
    return [
        read_record(folder, name=name, allow_code=allow_code)
        for folder, name in zip(places, _names(places), strict=True)
    ]


def read_record(folder: Path, *, name: str | None = None, allow_code: bool = False) -> RunRecord:
    """The run in a directory, called by the directory's name unless another is given; raises as `read_records`."""
    run = rundir.read_json(rundir.require(folder) / rundir.RUN, limit=SETTINGS)
    _check(run, folder / rundir.RUN)
    environment, evaluation = folder / rundir.ENVIRONMENT, folder / rundir.EVALUATION
    kind = _kind(task_name_in(run), folder / rundir.RUN, allow_code=allow_code)
    patience = dict(leaves(run)).get("training.patience")
    steps, evaluations, split, best = _columns(folder / rundir.HISTORY, kind, patience=patience)
    return RunRecord(
        folder=folder,
        name=name or folder.resolve().name,
        run=run,
        kind=kind,
        environment=_object(environment) if environment.exists() else {},
        steps=steps,
        evaluations=evaluations,
        split=split,
        best_step=best.step,
        waited_enough=best.waited_enough,
        scores=_scores(evaluation, kind) if evaluation.exists() else None,
        parameters=_parameters(folder / rundir.CHECKPOINTS),
    )


def _object(path: Path) -> dict[str, Any]:
    data = rundir.read_json(path)
    if not isinstance(data, dict):
        raise RunError(f"{path}: damaged: expected a JSON object")
    return data


def _check(run: Any, path: Path) -> None:
    """Raise RunError unless the Run is resolved: an object with all that the page speaks of."""
    values = dict(leaves(run)) if isinstance(run, dict) else {}
    missing = [key for key in _NEEDED if values.get(key) is None]
    if missing:
        raise RunError(f"{path}: not a run of this version of resvision, it lacks {', '.join(missing)}")
    if values.get("format") != rundir.RUN_FORMAT:
        version = f"{values.get('format')!r:.60}"
        raise RunError(f"{path}: format {version}, this version of resvision reads {rundir.RUN_FORMAT}")
    for key in _NEEDED:
        value, is_count = values[key], key in _COUNTS
        good = type(value) is int and value > 0 if is_count else isinstance(value, str)
        if not good or (key == "training.duration" and not re.fullmatch(rundir.DURATION, value)):
            raise RunError(f"{path}: {key} is {value!r:.60}, which no run of ours writes")
    for key, type_of_value in _OPTIONAL.items():
        if values.get(key) is not None and type(values[key]) is not type_of_value:
            raise RunError(f"{path}: {key} is {values[key]!r:.60}, which no run of ours writes")


def _kind(task: str, path: Path, *, allow_code: bool) -> Kind[Any, Any, Any]:
    """The torch-free half of a task; RunError for an unknown one, and for own code that is not allowed."""
    if task not in table.TASKS:
        if not references.is_reference(task):
            raise RunError(f"{path}: model.task is {task!r:.60}, which no run of ours writes")
        if not allow_code:
            raise RunError(f"{path}: would import {task}; if you trust it, say --allow-code")
    return table.kind_of(task)


def _names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    parts = [folder.resolve().parts for folder in folders]
    for depth in range(1, max(map(len, parts))):
        names = ["/".join(path[-depth:]) for path in parts]
        if len(set(names)) == len(names):
            break
    return names


def _columns(
    path: Path, kind: Kind[Any, Any, Any], *, patience: int | None
) -> tuple[Steps, Evaluations, str, BestSoFar]:
    """Steps, evaluations, the split that these are of, and the best of them."""
    steps, evaluations = _StepColumns(), []
    try:
        for line in history.read(path) if path.exists() else ():
            if "evaluation" in line:
                evaluations.append(line)
            else:
                steps.add(line)
        split = _split(evaluations)
        columns = _evaluations(evaluations, kind.figures)
        return steps.arrays(), columns, split, BestSoFar(kind.judged_by, patience=patience, lines=evaluations)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(f"{path}: damaged: {type(error).__name__}: {error}") from None


def _split(evaluations: Sequence[dict[str, Any]]) -> str:
    """The split that evaluations are of; ValueError where it is none that training evaluates."""
    splits = (history.TEST, history.VALIDATION)
    if unknown := [line["split"] for line in evaluations if line["split"] not in splits]:
        raise ValueError(f"split {unknown[0]!r:.60}; it is one of {', '.join(splits)}")
    return str(evaluations[-1]["split"]) if evaluations else history.TEST


class _StepColumns:
    """The lines of steps as columns of numbers, which take a tenth of the memory of as many dictionaries."""

    def __init__(self) -> None:
        self._whole = {name: array("q") for name in ("step", "epoch", "images")}
        self._seconds = array("d")
        self._metrics: dict[str, array[float]] = {}

    def add(self, line: dict[str, Any]) -> None:
        """Add one line; KeyError, TypeError, ValueError or OverflowError where training writes no such line."""
        known = len(self._seconds)
        for name, column in self._whole.items():
            column.append(line[name])
        self._seconds.append(line["seconds"])
        for name in line.keys() - _COLUMNS:
            if name not in self._metrics:
                if not isinstance(line[name], int | float):
                    continue
                if len(self._metrics) == _METRICS:
                    raise ValueError(f"more than {_METRICS} metrics of steps")
                self._metrics[name] = array("d", [nan]) * known
            figures = self._metrics[name]
            figures.extend([nan] * (known - len(figures)))  # for lines between without it
            figures.append(line[name])

    def arrays(self) -> Steps:
        """The columns as arrays, with NaN where a line has no such metric."""
        count = len(self._seconds)
        for column in self._metrics.values():
            column.extend([nan] * (count - len(column)))
        whole: dict[str, Ints] = {name: np.array(column, dtype=np.int64) for name, column in self._whole.items()}
        return Steps(
            **whole,
            seconds=np.maximum(np.array(self._seconds, dtype=np.float64), 1e-9),
            metrics={name: np.array(column, dtype=np.float64) for name, column in sorted(self._metrics.items())},
        )


def _evaluations(lines: list[dict[str, Any]], names: Sequence[str]) -> Evaluations:
    def figures(name: str) -> Floats:
        return np.array([line["evaluation"].get(name, np.nan) for line in lines], dtype=np.float64)

    return Evaluations(
        step=np.array([line["step"] for line in lines], dtype=np.int64),
        figures={name: figures(name) for name in names},
    )


def _scores(path: Path, kind: Kind[Any, Any, Any]) -> Any:
    try:
        return kind.read_scores(rundir.read_json(path))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(f"{path}: damaged: {type(error).__name__}: {error}") from None


def _parameters(checkpoints: Path) -> int | None:
    """Numbers in the newest checkpoint's weights; the running statistics of batch norm are not parameters."""
    try:
        newest = checkpoints / read_text(checkpoints / rundir.LAST, SMALL).strip()
        require_tensors(newest / rundir.WEIGHTS)
        with safe_open(os.fspath(newest / rundir.WEIGHTS), framework="numpy") as file:
            names = [name for name in file.keys() if not name.endswith(_STATISTICS)]  # noqa: SIM118 - not a mapping
            return sum(int(prod(file.get_slice(name).get_shape())) for name in names)
    except (OSError, ValueError, SafetensorError):
        return None
