"""The runs below a folder, finished or not, each with its score, its time and its size. Reaches no torch."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resvision.core import rundir
from resvision.core.errors import ResVisionError, RunError
from resvision.core.leftovers import size_of
from resvision.core.settings import leaves
from resvision.report.read import read_record
from resvision.report.record import RunRecord, Tested

DEEPEST = 5
"""Folders between the one that is searched and a run."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ListedRun:
    """A run directory, or that of a fit in a training of several phases.

    record   the content of a run; None for a fit, and for what is damaged
    figures  of a fit that is done
    damage   the reason why it cannot be read; "" where it can
    bytes    on disk
    changed  seconds since 1970 of the latest change of its files
    best     whether it is the best of the finished runs that can be compared with it
    """

    folder: Path
    record: RunRecord | None = None
    figures: dict[str, float] | None = None
    damage: str = ""
    bytes: int = 0
    changed: float = 0.0
    best: bool = False

    @property
    def state(self) -> str:
        """One of finished, training, unfinished, damaged."""
        if self.damage:
            return "damaged"
        if self.figures is not None or (self.record is not None and self.record.finished):
            return "finished"
        return "training" if rundir.is_locked(self.folder) else "unfinished"

    @property
    def tested(self) -> Tested | None:
        """The scores of the result, or of the latest evaluation."""
        return self.record.tested if self.record else None

    @property
    def score(self) -> float | None:
        """The main figure of the run's kind, None before the first evaluation."""
        return self.tested.figures.get(self.record.kind.main) if self.record and self.tested else None

    @property
    def rank(self) -> float:
        """The score so that a lower one is better; infinite where there is none."""
        if self.record is None or self.score is None:
            return float("inf")
        return -self.score if self.record.kind.higher_is_better else self.score


def list_runs(folder: Path, *, allow_code: bool = False) -> list[ListedRun]:
    """The runs in a folder and below it, by name; one that is damaged is listed as such. RunError for no folder."""
    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; name one that holds runs")
    return _with_best(_listed(path, allow_code=allow_code) for path in run_folders(folder))


def run_folders(folder: Path, *, deepest: int = DEEPEST) -> Iterator[Path]:
    """Yield the folders of runs and of fits in a folder and below it, by name; links are not followed."""
    if any((folder / name).is_file() for name in (rundir.RUN, rundir.FIT)):
        yield folder
    elif deepest:
        try:
            with os.scandir(folder) as entries:
                names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:  # of another user
            return
        for name in names:
            if not name.startswith("."):
                yield from run_folders(folder / name, deepest=deepest - 1)


def phase_folders(folders: Iterable[Path]) -> dict[Path, list[Path]]:
    """The folders of several phases among the parents of these, each with its members."""
    members: dict[Path, list[Path]] = {}
    for folder in folders:
        if (folder.parent / rundir.PHASES).is_file():
            members.setdefault(folder.parent, []).append(folder)
    return members


def _listed(folder: Path, *, allow_code: bool) -> ListedRun:
    try:
        size, changed = size_of(folder), _changed(folder)
    except OSError as error:
        return ListedRun(folder=folder, damage=f"cannot be read: {error.strerror}")
    try:
        if (folder / rundir.RUN).is_file():
            record = read_record(folder, allow_code=allow_code)
            return ListedRun(folder=folder, record=record, bytes=size, changed=changed)
        return ListedRun(folder=folder, figures=_fit_figures(folder), bytes=size, changed=changed)
    except ResVisionError as error:
        return ListedRun(folder=folder, damage=str(error), bytes=size, changed=changed)


def _fit_figures(folder: Path) -> dict[str, float] | None:
    path = folder / rundir.EVALUATION
    if not path.is_file():
        return None
    data = rundir.read_json(path)
    if not isinstance(data, dict) or not all(isinstance(value, int | float) for value in data.values()):
        raise RunError(f"{path}: damaged: expected figures by name")
    return data


def _changed(folder: Path) -> float:
    names = (rundir.RUN, rundir.FIT, rundir.HISTORY, rundir.EVALUATION)
    return max((folder / name).lstat().st_mtime for name in names if (folder / name).is_file())


def _with_best(runs: Iterable[ListedRun]) -> list[ListedRun]:
    """The runs, of which the best of each two or more finished ones that can be compared is marked."""
    listed = list(runs)
    groups: dict[Any, list[ListedRun]] = {}
    for run in listed:
        if run.record is not None and run.state == "finished" and run.score is not None:
            groups.setdefault(_data_of(run.record), []).append(run)
    best = {min(group, key=lambda run: run.rank).folder for group in groups.values() if len(group) > 1}
    return [ListedRun(**{**vars(run), "best": run.folder in best}) for run in listed]


def _data_of(record: RunRecord) -> tuple[Any, ...]:
    """The test that a run took; runs with one test can be compared."""
    settings = dict(leaves(record.run))
    data = settings.get("data.fingerprint") or (settings.get("data.name"), settings.get("data.root"))
    return record.task_name, record.kind.main, data, settings.get("data.test_images")
