"""Scores of predicted motion over a data set, of a system and of the baselines beside it.

Glossary
    S  horizons, the last of them the whole prediction
    K  the entries of MODES_COUNTED
"""

from dataclasses import asdict, dataclass
from math import nan
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from resvision.core import notebooks
from resvision.core.plurals import counted
from resvision.core.results import Count, Share
from resvision.kinds.motion.baselines import CONSTANT_VELOCITY
from resvision.kinds.motion.metrics import MODES_COUNTED

WORST = 12
"""The number of windows that are kept by name."""
Metres = Annotated[float, Meta(ge=0)]
Positive = Annotated[float, Meta(gt=0)]
_PerMode = Annotated[list[Metres], Meta(min_length=len(MODES_COUNTED), max_length=len(MODES_COUNTED))]


@dataclass(frozen=True, kw_only=True)
class HorizonErrors:
    """Errors of one system up to one horizon.

    seconds           of the horizon
    windows           those whose true place was known there
    min_ade, min_fde  (K,) in the order of MODES_COUNTED, means over the windows, metres
    rmse              root of the mean squared distance there of the most probable mode, metres
    nll               l5kit's negative log-likelihood, a Gaussian of 1 m at each step
    misses            shares of windows that were missed, by names that tell rule, threshold, horizon and k
    off_road          share of windows whose most probable mode leaves the lanes; None where no lanes are known
    modes_off_road    share of all modes that do
    """

    seconds: Positive
    windows: Count
    min_ade: _PerMode
    min_fde: _PerMode
    rmse: Metres
    nll: float
    misses: dict[str, Share]
    off_road: Share | None
    modes_off_road: Share | None


@dataclass(frozen=True, kw_only=True)
class GroupErrors:
    """Errors over the whole prediction of one system, for the windows of one group; means as in HorizonErrors."""

    name: str
    windows: Count
    min_ade: _PerMode
    min_fde: _PerMode


@dataclass(frozen=True, kw_only=True)
class SystemErrors:
    """Errors of one system: by horizon, by speed at the last observed frame, and by what the vehicle does then."""

    name: str
    horizons: Annotated[list[HorizonErrors], Meta(min_length=1)]
    speeds: list[GroupErrors]
    manoeuvres: list[GroupErrors]

    @property
    def whole(self) -> HorizonErrors:
        """The errors over the whole prediction."""
        return self.horizons[-1]


@dataclass(frozen=True, kw_only=True)
class ProbabilityRange:
    """The modes whose probability lies from `least` on and below `most`.

    modes        the number of them
    probability  their mean probability
    nearest      the share of them that came nearest to the truth of all modes of their window
    """

    least: Share
    most: Share
    modes: Count
    probability: Share
    nearest: Share


@dataclass(frozen=True, kw_only=True)
class WorstWindow:
    """One of the windows with the largest errors.

    fde       distance of the most probable mode from the true place at the end, metres
    baseline  that of constant velocity
    """

    index: Count
    source: str
    fde: Metres
    baseline: Metres


class _Document(msgspec.Struct):
    """The document that `MotionScores.to_json` writes, as far as reading it needs."""

    windows: Annotated[int, Meta(ge=1, le=2**53)]
    modes: Annotated[int, Meta(ge=1, le=2**53)]
    systems: Annotated[list[SystemErrors], Meta(min_length=2)]
    driven_off_road: Share | None
    calibration: list[ProbabilityRange]
    worst: Annotated[list[WorstWindow], Meta(max_length=1000)]


@dataclass(frozen=True, kw_only=True)
class MotionScores:
    """Scores of one system over the windows of a data set, with those of the baselines on the same windows.

    windows          the number of them
    modes            of the system
    systems          the system first, constant velocity after it, then the other baselines
    driven_off_road  share of windows whose vehicles left the lanes themselves; None where no lanes are known
    calibration      ranges of probability that have modes
    worst            the windows with the largest errors, at most one of a vehicle in a scenario
    """

    windows: int
    modes: int
    systems: tuple[SystemErrors, ...]
    driven_off_road: float | None
    calibration: tuple[ProbabilityRange, ...]
    worst: tuple[WorstWindow, ...]

    classes: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """The number of windows."""
        return self.windows

    @property
    def net(self) -> SystemErrors:
        """The errors of the system itself."""
        return self.systems[0]

    @property
    def constant_velocity(self) -> SystemErrors:
        """The errors of constant velocity."""
        return next(system for system in self.systems[1:] if system.name == CONSTANT_VELOCITY)

    @property
    def horizon_seconds(self) -> float:
        """The length of a prediction."""
        return self.net.whole.seconds

    @property
    def gain(self) -> float:
        """The share by which the final error of the most probable mode is under that of constant velocity."""
        baseline = self.constant_velocity.whole.min_fde[0]
        return 1 - self.net.whole.min_fde[0] / baseline if baseline else nan

    @property
    def loses(self) -> bool:
        """Whether the final error of the most probable mode is above that of constant velocity."""
        return self.net.whole.min_fde[0] > self.constant_velocity.whole.min_fde[0]

    def figures(self) -> dict[str, float]:
        """The figures of a line of the history, all over the whole prediction; the best of k only of more modes."""
        whole, baseline = self.net.whole, self.constant_velocity.whole
        rows = [row for row in range(len(MODES_COUNTED)) if row == 0 or MODES_COUNTED[row - 1] < self.modes]
        figures = {f"min_fde_{MODES_COUNTED[row]}": whole.min_fde[row] for row in rows}
        figures |= {f"min_ade_{MODES_COUNTED[row]}": whole.min_ade[row] for row in rows}
        figures |= {"rmse": whole.rmse, "nll": whole.nll}
        return {**figures, "constant_velocity_fde": baseline.min_fde[0]}

    def summary(self) -> str:
        """The final and the mean error in a line, beside those of constant velocity."""
        whole, baseline = self.net.whole, self.constant_velocity.whole
        against = "loses to constant velocity" if self.loses else "constant velocity"
        return (
            f"FDE {whole.min_fde[0]:.2f} m, ADE {whole.min_ade[0]:.2f} m over {self.horizon_seconds:g} s on"
            f" {counted(self.windows, 'test window')} ({against}: {baseline.min_fde[0]:.2f} m,"
            f" {baseline.min_ade[0]:.2f} m)"
        )

    def __repr__(self) -> str:
        return f"MotionScores({self.summary()})"

    def _repr_html_(self) -> str:
        columns = ("system", "horizon, s", "ADE, m", "FDE, m", "RMSE, m")
        rows = [
            (system.name, f"{at.seconds:g}", f"{at.min_ade[0]:.2f}", f"{at.min_fde[0]:.2f}", f"{at.rmse:.2f}")
            for system in self.systems
            for at in system.horizons
        ]
        return notebooks.table(self.summary(), columns, rows)

    def to_json(self) -> dict[str, Any]:
        """Plain data; the figures over the whole prediction stand beside what they follow from."""
        return {
            "windows": self.windows,
            "modes": self.modes,
            "horizon_s": self.horizon_seconds,
            **self.figures(),
            "systems": [asdict(system) for system in self.systems],
            "driven_off_road": self.driven_off_road,
            "calibration": [asdict(row) for row in self.calibration],
            "worst": [asdict(window) for window in self.worst],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "MotionScores":
        """The scores that `to_json` wrote; ValueError for anything else."""
        try:
            document = msgspec.convert(data, _Document)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None
        _require_same_shape(document.systems)
        if any(window.index >= document.windows for window in document.worst):
            raise ValueError("a window among the worst that is not there")
        return cls(
            windows=document.windows,
            modes=document.modes,
            systems=tuple(document.systems),
            driven_off_road=document.driven_off_road,
            calibration=tuple(document.calibration),
            worst=tuple(document.worst),
        )


def _require_same_shape(systems: list[SystemErrors]) -> None:
    """Raise ValueError for systems that were not judged on the same horizons and groups."""
    if CONSTANT_VELOCITY not in {system.name for system in systems[1:]}:
        raise ValueError(f"no scores of {CONSTANT_VELOCITY}")
    shapes = [
        (
            [(at.seconds, at.windows, [*at.misses]) for at in system.horizons],
            [(group.name, group.windows) for group in (*system.speeds, *system.manoeuvres)],
        )
        for system in systems
    ]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError("systems that were not judged on the same windows")
