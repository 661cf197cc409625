"""The results of a study, as they are kept: the settings, the figures and series of every member, the verdicts.

They stand as JSON in the folder of the study, and a page is made of them and the study's design alone.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.core.settings import to_json
from resvision.kinds.kind import Kind
from resvision.kinds.table import kind_of
from resvision.studies.design import Claim, Design, Value
from resvision.studies.verdicts import Verdict, judge

RESULTS = "results.json"
FORMAT = 1

Floats = NDArray[np.float64]


class Findings(NamedTuple):
    """The findings of a measure in one member: numbers by name, and lists of numbers by name."""

    figures: Mapping[str, float]
    series: Mapping[str, Sequence[float]] = {}


@dataclass(frozen=True, kw_only=True)
class Member:
    """A training of a study: its figures and series by name, its folder's name, or why it diverged.

    diverged  the error of a training whose loss was no number, "" of one that came to its end
    task      and `data`, where they are not those of the study
    """

    condition: str
    seed: int
    folder: str
    figures: dict[str, float | None] = field(default_factory=dict)
    series: dict[str, list[float | None]] = field(default_factory=dict)
    diverged: str = ""
    task: str = ""
    data: str = ""


@dataclass(frozen=True, kw_only=True)
class Results:
    """The results of a study.

    task      and `data`, of the members that name no other
    settings  run.json of the first member
    quick     whether it was made by `--quick`, of smaller nets and shorter trainings
    date      on which it was finished
    machine   processor, threads and version of torch
    """

    format: int
    study: str
    data: str
    task: str
    quick: bool
    date: str
    machine: str
    settings: dict[str, Any]
    members: tuple[Member, ...]

    @property
    def kind(self) -> Kind[Any, Any, Any]:
        """The torch-free half of the members' task."""
        return kind_of(self.task)

    def by_task(self) -> list["Results"]:
        """The results of each task alone, whose members have the same figures; mostly there is one."""
        grounds = dict.fromkeys((member.task or self.task, member.data or self.data) for member in self.members)
        return [
            replace(self, task=task, data=data, members=tuple(m for m in self.members if self._is_on(m, task, data)))
            for task, data in grounds
        ]

    def _is_on(self, member: Member, task: str, data: str) -> bool:
        return (member.task or self.task, member.data or self.data) == (task, data)

    @property
    def conditions(self) -> list[str]:
        """The conditions in the order of their members."""
        return list(dict.fromkeys(member.condition for member in self.members))

    @property
    def seeds(self) -> list[int]:
        """The seeds, ascending."""
        return sorted({member.seed for member in self.members})

    def of(self, condition: str) -> list[Member]:
        """The members of a condition, in the order of seeds."""
        return sorted((m for m in self.members if m.condition == condition), key=lambda member: member.seed)

    def figure(self, condition: str, name: str) -> Floats:
        """A figure of a condition by seed, (S,); NaN where there is none, as of a training that diverged."""
        values = {member.seed: member.figures.get(name) for member in self.of(condition)}
        return np.array([number(values.get(seed)) for seed in self.seeds])

    def mean(self, condition: str, name: str) -> float:
        """The mean of a figure over the seeds that have it; NaN where none has."""
        values = self.figure(condition, name)
        finite = values[np.isfinite(values)]
        return float(finite.mean()) if len(finite) else math.nan

    def verdicts(self, design: Design) -> list[Verdict]:
        """The verdict on each claim of the design."""
        return [self._verdict(claim) for claim in design.claims]

    def _verdict(self, claim: Claim) -> Verdict:
        smaller, larger = (self._side(value, len(self.seeds)).tolist() for value in (claim.smaller, claim.larger))
        return judge(claim.text, smaller=smaller, larger=larger)

    def _side(self, value: Value | float, count: int) -> Floats:
        if not isinstance(value, Value):
            return np.full(count, float(value))
        figures = self.figure(value.condition, value.figure)
        return figures - self.figure(value.above, value.figure) if value.above else figures


def is_share(figure: str, design: Design, kind: Kind[Any, Any, Any]) -> bool:
    """Whether a figure is a share 0..1, as far as its kind or the design says so."""
    known = {"tested": kind.main, "trained": kind.metrics[0] if kind.metrics else ""}
    columns = {column.figure for column in design.columns if column.form == "share"}
    return figure in columns | design.shares or known.get(figure, figure) in kind.shares


def write_results(results: Results, path: Path) -> Path:
    """Write results as JSON, whole or not at all; the path."""
    rundir.write_json(path, to_json(results))
    return path


def read_results(path: Path) -> Results:
    """The results in a file; RunError where it holds none."""
    try:
        return msgspec.convert(rundir.read_json(path), Results)
    except msgspec.ValidationError as error:
        raise RunError(f"{path}: holds no results of a study: {error}") from None


def known(value: float) -> float | None:
    """A number, None for what is none, since JSON knows no NaN."""
    return float(value) if math.isfinite(value) else None


def plotted(value: float) -> float | None:
    """A number of a series, in the digits that a plot can show; None for what is none."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def number(value: float | None) -> float:
    """What `known` wrote, as a number again: NaN for None."""
    return math.nan if value is None else value
