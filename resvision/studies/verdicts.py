"""When a difference counts: one rule for every study.

A claim says that a figure is smaller under one condition than under another. Both are measured with the same seeds, or
of the same images; the differences of the pairs have a mean and a standard error. The claim is supported when the mean
lies beyond the two-sided 95 % bound of Student's t in its favour, contradicted when it does so the other way round,
and undecided in between: 4.30 standard errors with three pairs, 2.78 with five. One pair decides nothing.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

CONFIDENCE = 0.95
MOST_PAIRS = 1000
"""The largest number of pairs that a forecast names."""

Word = Literal["supported", "contradicted", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim. `mean` is larger minus smaller as the claim has it; positive speaks for the claim.

    standard_error  of the mean; NaN of one pair
    pair            what the two figures of a pair share, such as the seed
    unit            of the difference
    needed          the least number of pairs that would decide the claim, were mean and spread as they are; None where
                    it is decided, where there is one pair, or where more than MOST_PAIRS would be needed
    """

    claim: str
    pairs: int
    mean: float
    standard_error: float
    word: Word
    pair: str = "seed"
    unit: str = ""
    needed: int | None = None


def judge(
    claim: str, *, smaller: Sequence[float], larger: Sequence[float], pair: str = "seed", unit: str = ""
) -> Verdict:
    """The verdict on "`smaller` is below `larger`", measured in pairs, with equal seeds unless `pair` says otherwise.

    A pair in which a figure is no number, as of a training that diverged, is left out.
    """
    differences = np.subtract(larger, smaller)
    differences = differences[np.isfinite(differences)]
    pairs, mean = len(differences), float(np.mean(differences)) if len(differences) else math.nan
    if pairs < 2:
        return Verdict(claim, pairs, mean, math.nan, "undecided", pair, unit)
    spread = float(np.std(differences, ddof=1))
    standard_error = spread / math.sqrt(pairs)
    word: Word = "undecided"
    if abs(mean) > bound(pairs) * standard_error:
        word = "supported" if mean > 0 else "contradicted"
    needed = pairs_needed(mean, spread) if word == "undecided" else None
    return Verdict(claim, pairs, mean, standard_error, word, pair, unit, needed)


def pairs_needed(mean: float, spread: float) -> int | None:
    """The least number of pairs that decides a mean difference of this standard deviation, None beyond MOST_PAIRS."""

    def is_enough(pairs: int) -> bool:
        return abs(mean) > bound(pairs) * spread / math.sqrt(pairs)

    enough = bisect_left(range(2, MOST_PAIRS + 1), True, key=is_enough) + 2  # what is enough stays so with more pairs
    return enough if enough <= MOST_PAIRS else None


@cache
def bound(pairs: int) -> float:
    """The standard errors that the mean of so many pairs, at least two, must exceed."""
    low, high = 0.0, 20.0  # one degree of freedom needs 12.71
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if share_within(middle, pairs - 1) < CONFIDENCE else (low, middle)
    return high


def share_within(t: float, freedom: int) -> float:
    """The share of Student's t distribution between -t and t, by its finite sums for whole degrees of freedom.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    angle = math.atan2(t, math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = freedom % 2 == 1
    term, total = (cosine, 0.0) if is_odd else (1.0, 0.0)
    for power in range(1 if is_odd else 0, freedom - 1, 2):
        total += term
        term *= cosine**2 * (power + 1) / (power + 2)
    return 2 / math.pi * (angle + sine * total) if is_odd else sine * total
