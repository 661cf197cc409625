"""When a difference counts: one rule for every study.

A claim says that a figure is smaller under one condition than under another. Both are measured with the same seeds, or
of the same images; the differences of the pairs have a mean and a standard error. With at least three pairs the claim
is supported when the mean exceeds twice the standard error in its favour, contradicted when it does so the other way
round, and not shown in between. Fewer pairs leave it undecided.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

ENOUGH_SEEDS = 3

Word = Literal["supported", "contradicted", "not shown", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim. `mean` is larger minus smaller as the claim has it; positive speaks for the claim.

    pair  what the two figures of a pair share, such as the seed
    unit  of the difference
    """

    claim: str
    pairs: int
    mean: float
    standard_error: float
    word: Word
    pair: str = "seed"
    unit: str = ""


def judge(
    claim: str, *, smaller: Sequence[float], larger: Sequence[float], pair: str = "seed", unit: str = ""
) -> Verdict:
    """The verdict on "`smaller` is below `larger`", measured in pairs, with equal seeds unless `pair` says otherwise.

    There is at least one pair.
    """
    differences = np.subtract(larger, smaller)
    pairs, mean = len(differences), float(np.mean(differences))
    if pairs < ENOUGH_SEEDS:
        return Verdict(claim, pairs, mean, math.nan, "undecided", pair, unit)
    standard_error = float(np.std(differences, ddof=1)) / math.sqrt(pairs)
    word: Word = "not shown"
    if abs(mean) > 2 * standard_error:
        word = "supported" if mean > 0 else "contradicted"
    return Verdict(claim, pairs, mean, standard_error, word, pair, unit)
