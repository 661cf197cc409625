"""Means with their spread, as cells of tables show them."""

import re
from collections.abc import Callable, Sequence

import numpy as np

_PLAIN = re.compile(r"\d+\.\d+")
"""A number that is written with decimals and without a unit."""


def mean_and_spread(values: Sequence[float], write: Callable[[float], str]) -> str:
    """The mean as text, with the standard deviation of one value: `71.60 ± 2.60 %`, a unit that both have written once.

    A spread has no more decimals than its mean, unless that would leave nothing of it. A single value, and values that
    are all the same, such as counts of parameters, have no spread to show.
    """
    mean = write(float(np.mean(values)))
    if len(set(values)) == 1:
        return mean
    deviation = float(np.std(values, ddof=1))
    spread = write(deviation)
    if _PLAIN.fullmatch(mean) and float(shorter := f"{deviation:.{len(mean.partition('.')[2])}f}"):
        spread = shorter
    number, _, unit = mean.rpartition(" ")
    return f"{number} ± {spread}" if number and spread.endswith(f" {unit}") else f"{mean} ± {spread}"
