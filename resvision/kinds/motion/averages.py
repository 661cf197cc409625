"""Errors of all windows made into the averages of the scores.

Glossary
    N  windows of the data set
    S  horizons
    K  the entries of MODES_COUNTED
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.motion.calibration import EDGES, Calibration
from resvision.kinds.motion.manoeuvres import MANOEUVRES
from resvision.kinds.motion.metrics import Horizon
from resvision.kinds.motion.misses import miss_rates
from resvision.kinds.motion.scores import GroupErrors, HorizonErrors, ProbabilityRange, SystemErrors
from resvision.kinds.motion.speeds import SPEEDS

Singles = NDArray[np.float32]


class KeptErrors(NamedTuple):
    """Errors of one system as they are kept, NaN where there is none: those of `metrics.Errors`, and two more.

    ade, fde, largest  (N, S, K)
    nll                (N, S)
    waymo              (N, S, K), of `misses.waymo_ratios`
    off_road           (N, S, 2), of `off_road.off_road`
    """

    ade: Singles
    fde: Singles
    largest: Singles
    nll: Singles
    waymo: Singles
    off_road: Singles


def averages_of(
    name: str,
    errors: KeptErrors,
    horizons: Sequence[Horizon],
    speeds: NDArray[np.int8],
    manoeuvres: NDArray[np.int8],
) -> SystemErrors:
    """The averages of one system; `speeds` and `manoeuvres`, (N,), are the groups of the windows.

    A horizon at which no vehicle was seen is left out.
    """
    return SystemErrors(
        name=name,
        horizons=[
            _at_horizon(horizon.seconds, KeptErrors(*(member[:, at] for member in errors)))
            for at, horizon in enumerate(horizons)
            if not np.isnan(errors.fde[:, at]).all()
        ],
        speeds=_by_group(errors, speeds, SPEEDS),
        manoeuvres=_by_group(errors, manoeuvres, MANOEUVRES),
    )


def ranges_of(calibration: Calibration) -> tuple[ProbabilityRange, ...]:
    """The ranges of probability that have modes."""
    return tuple(
        ProbabilityRange(
            least=float(EDGES[row]),
            most=float(EDGES[row + 1]),
            modes=int(modes),
            probability=min(float(calibration.probability[row] / modes), 1.0),
            nearest=float(calibration.nearest[row] / modes),
        )
        for row, modes in enumerate(calibration.modes)
        if modes
    )


def _at_horizon(seconds: float, errors: KeptErrors) -> HorizonErrors:
    """The averages at one horizon; of errors, the axis of horizons is gone."""
    final = errors.fde[:, 0].astype(np.float64)
    left, modes_left = (None if np.isnan(column).all() else _mean(column) for column in errors.off_road.T)
    return HorizonErrors(
        seconds=seconds,
        windows=int((~np.isnan(final)).sum()),
        min_ade=_means(errors.ade),
        min_fde=_means(errors.fde),
        rmse=float(np.sqrt(_mean(final**2))),
        nll=_mean(errors.nll),
        misses=miss_rates(errors.largest, errors.fde, errors.waymo, seconds),
        off_road=left,
        modes_off_road=modes_left,
    )


def _by_group(errors: KeptErrors, groups: NDArray[np.int8], names: Sequence[str]) -> list[GroupErrors]:
    """The averages over the whole prediction of the groups that occur."""
    ade, fde = errors.ade[:, -1], errors.fde[:, -1]
    known = ~np.isnan(fde[:, 0])
    return [
        GroupErrors(name=name, windows=int(chosen.sum()), min_ade=_means(ade[chosen]), min_fde=_means(fde[chosen]))
        for group, name in enumerate(names)
        if (chosen := known & (groups == group)).any()
    ]


def _means(values: Singles) -> list[float]:
    """The mean of each column, (K,)."""
    return [_mean(column) for column in values.T]


def _mean(values: NDArray[np.floating]) -> float:
    """The mean of the values that are known, in the order of the set."""
    return float(values[~np.isnan(values)].astype(np.float64).mean())
