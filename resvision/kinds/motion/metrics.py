"""Errors of predicted trajectories, window by window.

minADE_k and minFDE_k are those of nuScenes' prediction challenge (Caesar et al. 2020, arXiv:1903.11027): the least
error among the k most probable modes, averaged over windows by whoever calls. The negative log-likelihood is l5kit's
(Houston et al. 2020, arXiv:2006.14480), a Gaussian of 1 m at each step. Predictions and truth are in one frame,
whichever it is, in metres and radians.

Glossary
    n  windows
    M  modes, in the order in which a system gives them
    T  predicted steps
    S  horizons
    K  the entries of MODES_COUNTED
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.motion.windows import Window

Floats = NDArray[np.float64]
AnyFloats = NDArray[np.floating]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]

MODES_COUNTED = (1, 5, 10)
"""The k of minADE_k, minFDE_k and miss rates; a system of fewer modes is judged by all that it has."""


class Truth(NamedTuple):
    """True positions and headings in the agents' frames, 0 where they are not known.

    positions  (n, T, 2) metres
    headings   (n, T) radians
    present    (n, T)
    """

    positions: Floats
    headings: Floats
    present: Flags


class Horizon(NamedTuple):
    """A time up to which errors are told: in seconds, and as a number of steps, 1..T."""

    seconds: float
    steps: int


class Errors(NamedTuple):
    """Errors of one system up to each horizon; NaN where no step that an error is about was seen.

    ade      (n, S, K) least mean distance, over the steps that were seen
    fde      (n, S, K) least distance at the horizon's own step
    largest  (n, S, K) least largest distance, over the steps that were seen
    nll      (n, S) negative log-likelihood of all modes together
    """

    ade: Floats
    fde: Floats
    largest: Floats
    nll: Floats


def horizons_of(window: Window) -> tuple[Horizon, ...]:
    """Each whole second of the prediction that a step falls on, and its end."""
    steps, step_seconds = window.span.steps, window.step_seconds
    seconds = np.arange(1, int(steps * step_seconds + 1e-6) + 1)
    nearest = np.rint(seconds / step_seconds).astype(int)
    whole = nearest[np.abs(nearest * step_seconds - seconds) < 1e-6]
    return tuple(Horizon(round(step * step_seconds, 6), step) for step in sorted({*whole.tolist(), steps}))


def distances(positions: AnyFloats, gt_positions: AnyFloats) -> Floats:
    """Distances of predicted positions, (n, M, T, 2), from the true ones, (n, T, 2), in metres: (n, M, T)."""
    offsets = np.asarray(positions, dtype=np.float64) - np.asarray(gt_positions, dtype=np.float64)[:, None]
    return np.asarray(np.hypot(offsets[..., 0], offsets[..., 1]))


def by_probability(probabilities: AnyFloats) -> Ints:
    """The modes of each window, most probable first, (n, M); of equal ones, the one that the system gives first."""
    return np.argsort(-np.asarray(probabilities), axis=1, kind="stable")


def least_of_first(errors: AnyFloats, probabilities: AnyFloats) -> Floats:
    """The least error among the k most probable modes, (n, S, K), from those of all modes, (n, M, S)."""
    ranked = np.take_along_axis(errors, by_probability(probabilities)[..., None], axis=1)
    counted = [min(k, ranked.shape[1]) - 1 for k in MODES_COUNTED]
    return np.asarray(np.minimum.accumulate(ranked, axis=1)[:, counted].transpose(0, 2, 1), dtype=np.float64)


def errors_of(
    positions: AnyFloats, probabilities: AnyFloats, gt_positions: AnyFloats, gt_present: Flags, horizons: Sequence[int]
) -> Errors:
    """The errors of modes (n, M, T, 2) with probabilities (n, M) up to each horizon.

    gt_positions, gt_present  (n, T, 2) and (n, T), the true positions and the steps at which they are known
    horizons                  numbers of steps, 1..T

    Each horizon chooses its best mode anew, and so does each of the three errors.
    """
    apart = distances(positions, gt_positions)
    columns = np.asarray(horizons) - 1
    seen = gt_present[:, None]
    steps = gt_present.cumsum(axis=1)[:, columns]  # (n, S), those that were seen up to each horizon
    begun, ended = (steps > 0)[..., None], gt_present[:, columns][..., None]
    means = np.where(seen, apart, 0).cumsum(axis=2)[..., columns] / steps.clip(min=1)[:, None]
    largest = np.maximum.accumulate(np.where(seen, apart, 0), axis=2)[..., columns]
    return Errors(
        ade=np.where(begun, least_of_first(means, probabilities), np.nan),
        fde=np.where(ended, least_of_first(apart[..., columns], probabilities), np.nan),
        largest=np.where(begun, least_of_first(largest, probabilities), np.nan),
        nll=_negative_log_likelihood(apart, probabilities, gt_present)[:, columns],
    )


def _negative_log_likelihood(apart: Floats, probabilities: AnyFloats, gt_present: Flags) -> Floats:
    """l5kit's -log sum_k c_k exp(-1/2 sum_t a_t |x_t - x_kt|^2) up to each step, (n, T); NaN before any was seen."""
    with np.errstate(divide="ignore"):  # a mode of probability 0 adds nothing
        weights = np.log(np.asarray(probabilities, dtype=np.float64))
    exponents = weights[..., None] - 0.5 * np.where(gt_present[:, None], apart**2, 0).cumsum(axis=2)
    highest = exponents.max(axis=1, keepdims=True)
    value = -(highest[:, 0] + np.log(np.exp(exponents - highest).sum(axis=1)))
    return np.asarray(np.where(gt_present.cumsum(axis=1) > 0, value, np.nan))
