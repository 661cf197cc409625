"""The evidence of a data set for its scores, gathered window by window, in any order and on any number of processes.

Of each window some hundred numbers are kept for the system, a third of that for a baseline: 30,000 windows are 40 MB.

Glossary
    N  windows of the data set
    n  windows that are added at a time
    S  horizons: each whole second, and the whole prediction
    K  the entries of MODES_COUNTED
"""

from collections.abc import Callable, Sequence
from math import nan
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, NonFiniteLossError
from resvision.kinds.motion import baselines
from resvision.kinds.motion.groups import SPEEDS, speed_groups
from resvision.kinds.motion.metrics import Errors, errors_of
from resvision.kinds.motion.scores import (
    WORST,
    GroupErrors,
    HorizonErrors,
    MotionScores,
    SystemErrors,
    WorstWindow,
)
from resvision.kinds.motion.windows import Window

Floats = NDArray[np.float64]
NET = "this run"
"""The name of the system that is scored, in tables."""


class Tally:
    """The evidence of a data set; scores are the same bits whatever the order of windows and the processes.

    windows  the number of them
    """

    def __init__(self, windows: int) -> None:
        self._windows = windows
        self._counted = np.zeros(windows, dtype=np.bool_)
        self._errors: dict[str, Errors] = {}
        self._speeds = np.zeros(windows, dtype=np.int8)
        self._vehicles = np.zeros(windows, dtype=np.int64)
        self._seconds: tuple[float, ...] = ()
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
        self._modes = positions.shape[1]
        futures = [window.future() for window in windows]
        gt_positions = np.stack([future.positions for future in futures])
        gt_present = np.stack([future.present for future in futures])
        steps = horizon_steps(windows[0])
        self._seconds = tuple(round(step * windows[0].step_seconds, 6) for step in steps)
        self._keep(NET, where, errors_of(positions, probabilities, gt_positions, gt_present, steps))
        certain = np.ones((len(windows), 1))
        for baseline in baselines.baselines(windows):
            errors = errors_of(baseline.positions[:, None], certain, gt_positions, gt_present, steps)
            self._keep(baseline.name, where, errors)
        self._speeds[where] = speed_groups(windows)
        self._vehicles[where] = [crc32(window.name.rpartition("@")[0].encode()) for window in windows]

    def _keep(self, system: str, where: NDArray[np.int64], errors: Errors) -> None:
        """Write the errors of one system for some windows into the arrays of all windows."""
        if system not in self._errors:
            self._errors[system] = Errors(
                *(np.full((self._windows, *member.shape[1:]), nan, dtype=np.float32) for member in errors)
            )
        for kept, member in zip(self._errors[system], errors, strict=True):
            kept[where] = member

    def merge(self, other: "Tally") -> None:
        """Add the windows that another process counted."""
        self._finite &= other._finite
        mine, where = other._counted, np.flatnonzero(other._counted)
        self._counted |= mine
        self._seconds, self._modes = self._seconds or other._seconds, self._modes or other._modes
        self._speeds[mine], self._vehicles[mine] = other._speeds[mine], other._vehicles[mine]
        for system, errors in other._errors.items():
            self._keep(system, where, Errors(*(member[where] for member in errors)))

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
        return MotionScores(
            windows=self._windows,
            modes=self._modes,
            systems=tuple(self._system(name, errors) for name, errors in self._errors.items()),
            worst=self._worst(source),
        )

    def _system(self, name: str, errors: Errors) -> SystemErrors:
        """The mean errors of one system, by horizon and by group."""
        horizons = [
            _at_horizon(seconds, Errors(*(member[:, at] for member in errors)))
            for at, seconds in enumerate(self._seconds)
            if not np.isnan(errors.fde[:, at]).all()
        ]
        return SystemErrors(name=name, horizons=horizons, speeds=_by_group(errors, self._speeds, SPEEDS))

    def _worst(self, source: Callable[[int], str]) -> tuple[WorstWindow, ...]:
        """The windows with the largest final errors, one of each vehicle in a scenario."""
        finals = self._errors[NET].fde[:, -1, 0]
        baseline = self._errors[baselines.CONSTANT_VELOCITY].fde[:, -1, 0]
        ranked = [*np.argsort(-np.nan_to_num(finals), kind="stable").tolist()]
        first_of: dict[int, int] = {}
        for index in ranked:
            if not np.isnan(finals[index]):
                first_of.setdefault(int(self._vehicles[index]), index)
            if len(first_of) == WORST:
                break
        return tuple(
            WorstWindow(index=index, source=source(index), fde=float(finals[index]), baseline=float(baseline[index]))
            for index in first_of.values()
        )


def horizon_steps(window: Window) -> list[int]:
    """The numbers of steps up to each whole second of the prediction that a step falls on, and up to its end."""
    steps, step_seconds = window.span.steps, window.step_seconds
    wholes = [round(second / step_seconds) for second in range(1, int(steps * step_seconds + 1e-6) + 1)]
    on_a_step = [step for second, step in enumerate(wholes, start=1) if abs(step * step_seconds - second) < 1e-6]
    return sorted({*on_a_step, steps})


def _at_horizon(seconds: float, errors: Errors) -> HorizonErrors:
    """The means of errors at one horizon, (N, K) and (N,)."""
    final = errors.fde[:, 0]
    known = ~np.isnan(final)
    return HorizonErrors(
        seconds=seconds,
        windows=int(known.sum()),
        min_ade=_means(errors.ade),
        min_fde=_means(errors.fde),
        rmse=float(np.sqrt(_mean(final.astype(np.float64) ** 2))),
        nll=_mean(errors.nll),
        misses={},
    )


def _by_group(errors: Errors, groups: NDArray[np.int8], names: Sequence[str]) -> list[GroupErrors]:
    """The errors of the most probable mode over the whole prediction, for the groups that occur."""
    ade, fde = errors.ade[:, -1, 0], errors.fde[:, -1, 0]
    known = ~np.isnan(fde)
    return [
        GroupErrors(name=name, windows=int(chosen.sum()), ade=_mean(ade[chosen]), fde=_mean(fde[chosen]))
        for group, name in enumerate(names)
        if (chosen := known & (groups == group)).any()
    ]


def _means(values: NDArray[np.floating]) -> list[float]:
    return [_mean(column) for column in values.T]


def _mean(values: NDArray[np.floating]) -> float:
    """The mean of the values that are known, in the order of the set."""
    return float(values[~np.isnan(values)].astype(np.float64).mean())
