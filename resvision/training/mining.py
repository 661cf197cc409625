"""A linear SVM of one class on the samples of many images, of which only the hard negatives are held.

Girshick et al. 2014, https://arxiv.org/abs/1311.2524, section 2.3; the numbers are those of its code. One pass over the
images is made, since a second changes little.

Glossary
    N  samples of an image
    D  features
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.training.fits import Array, HyperPlane

Samples = NDArray[np.float32]

Fit = Callable[[NDArray[Any], NDArray[np.bool_]], HyperPlane]
"""A fit of samples (N, D) and their flags of the class (N,)."""


@dataclass(frozen=True, kw_only=True)
class MiningRules:
    """The rules by which negatives are held.

    hard           the margin above which a negative is added
    evicted        the margin below which it is dropped again, after a fit
    retrain_after  a fit follows once more than so many were added
    """

    hard: float = -1.0001
    evicted: float = -1.2
    retrain_after: int = 2000


class Mined(NamedTuple):
    """A mined SVM, with the number of its fits, and of the negatives held after the last one."""

    plane: HyperPlane
    fits: int
    negatives: int


def mined_svm(
    positives: Samples, negatives: Iterable[Samples], *, fit: Fit, rules: MiningRules | None = None
) -> Mined | None:
    """The SVM of positives (N, D) against the negatives of each image, (N, D) each; None where there is no negative.

    All negatives of the first image are hard. A fit follows the first image, the last one, and whenever enough were
    added in between.
    """
    rules = rules or MiningRules()
    plane, fits, added = HyperPlane(np.zeros(positives.shape[1]), 0.0), 0, 0  # by which every negative is hard
    held: list[Samples] = []

    def refit() -> HyperPlane:
        together = np.concatenate(held)
        samples = np.concatenate([positives, together])
        fitted = fit(samples, np.arange(len(samples)) < len(positives))
        held[:] = [together[~(fitted.margins(together) < rules.evicted)]]
        return fitted

    for number, samples in enumerate(negatives):
        hard = samples[_above(plane.margins(samples), rules.hard)]
        if len(hard):
            held.append(hard)
            added += len(hard)
        if held and (number == 0 or added > rules.retrain_after):
            plane, fits, added = refit(), fits + 1, 0
    if not held:
        return None
    if added or not fits:
        plane, fits = refit(), fits + 1
    return Mined(plane, fits, sum(len(some) for some in held))


def _above(margins: Array, least: float) -> NDArray[np.bool_]:
    flags: NDArray[np.bool_] = margins > least
    return flags
