"""The evidence of a data set for its scores, gathered window by window, in any order and on any number of processes.

Of each window some 300 bytes are kept for each system at five horizons: 30,000 windows and five systems are 45 MB.

Glossary
    N  windows of the data set
    n  windows that are added at a time
    S  horizons
    K  the entries of MODES_COUNTED
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, NonFiniteLossError
from resvision.kinds.motion.averages import KeptErrors, averages_of, ranges_of
from resvision.kinds.motion.baselines import CONSTANT_VELOCITY, baselines
from resvision.kinds.motion.calibration import Calibration
from resvision.kinds.motion.kinematics import Kinematics, kinematics
from resvision.kinds.motion.manoeuvres import UNKNOWN, manoeuvres
from resvision.kinds.motion.metrics import Floats, Horizon, Truth, errors_of, horizons_of
from resvision.kinds.motion.misses import waymo_ratios
from resvision.kinds.motion.off_road import off_road, outside_lanes
from resvision.kinds.motion.scores import WORST, MotionScores, WorstWindow
from resvision.kinds.motion.speeds import speed_groups
from resvision.kinds.motion.windows import Window

NET = "this run"
"""The name of the system that is scored, in tables."""


class _Prediction(NamedTuple):
    """The modes (n, M, T, 2) of a system with probabilities (n, M), and whether they are in no lane, (n, M, T)."""

    positions: NDArray[np.floating]
    probabilities: NDArray[np.floating]
    outside: NDArray[np.bool_]


class _Judged(NamedTuple):
    """Windows that are added together: their true futures, speeds (n,), and whether lanes are known (n,)."""

    truth: Truth
    speeds: Floats
    lanes_known: NDArray[np.bool_]
    horizons: tuple[Horizon, ...]

    def errors(self, predicted: _Prediction) -> KeptErrors:
        """The errors of a system."""
        positions, probabilities, outside = predicted
        steps = [horizon.steps for horizon in self.horizons]
        errors = errors_of(positions, probabilities, self.truth.positions, self.truth.present, steps)
        waymo = waymo_ratios(positions, probabilities, self.truth, self.horizons, self.speeds)
        left = off_road(outside, probabilities, self.lanes_known, self.horizons)
        return KeptErrors(*(member.astype(np.float32) for member in (*errors, waymo, left)))


class Tally:
    """The evidence of a data set; scores are the same bits whatever the order of windows and the processes.

    windows  the number of them
    """

    def __init__(self, windows: int) -> None:
        self._counted = np.zeros(windows, dtype=np.bool_)
        self._errors: dict[str, KeptErrors] = {}
        self._driven_off_road = np.full(windows, np.nan, dtype=np.float32)
        self._speeds = np.zeros(windows, dtype=np.int8)
        self._manoeuvres = np.full(windows, UNKNOWN, dtype=np.int8)
        self._vehicles = np.zeros(windows, dtype=np.int64)
        self._calibration = Calibration()
        self._horizons: tuple[Horizon, ...] = ()
        self._modes = 0
        self._finite = True

    def add(
        self,
        indices: Sequence[int] | NDArray[np.int64],
        positions: NDArray[np.floating],
        probabilities: NDArray[np.floating],
        windows: Sequence[Window],
    ) -> None:
        """Add windows by their indices (n,), positions (n, M, T, 2) in their agents' frames, probabilities (n, M)."""
        where = np.asarray(indices, dtype=np.int64)
        assert not self._counted[where].any(), "a window was counted twice"
        if not (np.isfinite(positions).all() and np.isfinite(probabilities).all()):
            self._finite = False
            return
        self._counted[where] = True
        truth, motion = truth_of(windows), kinematics(windows)
        lanes_known = np.array([bool(window.scene.lanes) for window in windows], dtype=np.bool_)
        judged = _Judged(truth, motion.speed, lanes_known, horizons_of(windows[0]))
        self._horizons, self._modes = judged.horizons, positions.shape[1]
        predictions, driven_outside = _predictions(positions, probabilities, windows, truth, motion)
        for system, predicted in predictions.items():
            self._keep(system, where, judged.errors(predicted))
        self._calibration.add(positions, probabilities, truth.positions, truth.present)
        self._driven_off_road[where] = np.where(lanes_known, (driven_outside & truth.present).any(axis=1), np.nan)
        self._speeds[where] = speed_groups(motion.speed)
        self._manoeuvres[where] = manoeuvres(windows, motion)
        self._vehicles[where] = [crc32(window.name.rpartition("@")[0].encode()) for window in windows]

    def merge(self, other: "Tally") -> None:
        """Add the windows that another process counted."""
        self._finite &= other._finite
        where = np.flatnonzero(other._counted)
        self._counted[where] = True
        self._horizons, self._modes = self._horizons or other._horizons, self._modes or other._modes
        for name in ("_driven_off_road", "_speeds", "_manoeuvres", "_vehicles"):
            getattr(self, name)[where] = getattr(other, name)[where]
        self._calibration.merge(other._calibration)
        for system, errors in other._errors.items():
            self._keep(system, where, KeptErrors(*(member[where] for member in errors)))

    def scores(self, source: Callable[[int], str]) -> MotionScores:
        """The scores of all windows; `source(i)` names window i.

        Raises DataError where there is nothing to judge, NonFiniteLossError where predictions were not numbers.
        """
        if not self._finite:
            raise NonFiniteLossError(
                "the net's predictions are not finite: its weights are damaged or its training diverged"
            )
        assert self._counted.all(), "a window was not counted"
        if not self._errors or np.isnan(self._errors[NET].fde[:, -1]).all():
            raise DataError("no window to judge: in none of the set is the true place known at the end")
        driven = self._driven_off_road[~np.isnan(self._driven_off_road)].astype(np.float64)
        return MotionScores(
            windows=len(self._counted),
            modes=self._modes,
            systems=tuple(
                averages_of(system, errors, self._horizons, self._speeds, self._manoeuvres)
                for system, errors in self._errors.items()
            ),
            driven_off_road=float(driven.mean()) if len(driven) else None,
            calibration=ranges_of(self._calibration),
            worst=self._worst(source),
        )

    def _keep(self, system: str, where: NDArray[np.int64], errors: KeptErrors) -> None:
        """Write the errors of one system for some windows into the arrays of all windows."""
        if system not in self._errors:
            shapes = [(len(self._counted), *member.shape[1:]) for member in errors]
            self._errors[system] = KeptErrors(*(np.full(shape, np.nan, dtype=np.float32) for shape in shapes))
        for kept, member in zip(self._errors[system], errors, strict=True):
            kept[where] = member

    def _worst(self, source: Callable[[int], str]) -> tuple[WorstWindow, ...]:
        """The windows with the largest final errors, one of each vehicle in a scenario."""
        finals, baseline = (self._errors[system].fde[:, -1, 0] for system in (NET, CONSTANT_VELOCITY))
        ranked = np.argsort(-np.nan_to_num(finals, nan=-1), kind="stable")[: np.isfinite(finals).sum()]
        first_of: dict[int, int] = {}
        for index in ranked.tolist():
            first_of.setdefault(int(self._vehicles[index]), index)
        return tuple(
            WorstWindow(index=index, source=source(index), fde=float(finals[index]), baseline=float(baseline[index]))
            for index in [*first_of.values()][:WORST]
        )


def _predictions(
    positions: NDArray[np.floating],
    probabilities: NDArray[np.floating],
    windows: Sequence[Window],
    truth: Truth,
    motion: Kinematics,
) -> tuple[dict[str, _Prediction], NDArray[np.bool_]]:
    """The predictions of the system and of the baselines, and whether the vehicles were in no lane, (n, T)."""
    others = {one.name: one.positions[:, None] for one in baselines(windows, motion, truth.positions, truth.present)}
    every = {NET: positions, **others}
    outside = outside_lanes(np.concatenate([*every.values(), truth.positions[:, None]], axis=1), windows)
    ends = np.cumsum([modes.shape[1] for modes in every.values()])
    *parts, driven = np.split(outside, ends, axis=1)
    certain = np.ones((len(windows), 1))
    weights = [probabilities, *(certain for _ in others)]
    named = zip(every.items(), weights, parts, strict=True)
    return {system: _Prediction(modes, shares, part) for (system, modes), shares, part in named}, driven[:, 0]


def truth_of(windows: Sequence[Window]) -> Truth:
    """True positions and headings for windows of one span."""
    futures = [window.future() for window in windows]
    present = np.stack([future.present for future in futures])
    return Truth(np.stack([future.positions for future in futures]), _true_headings(windows, present), present)


def _true_headings(windows: Sequence[Window], present: NDArray[np.bool_]) -> Floats:
    """The recorded headings at the predicted steps from the agents' own, (n, T) radians."""
    headings = np.zeros(present.shape)
    for row, window in enumerate(windows):
        steps = np.flatnonzero(present[row])
        frames = window.frame + window.span.step_frames * (steps + 1)
        headings[row, steps] = window.scene.headings[window.vehicle, frames] - window.pose().heading
    return headings
