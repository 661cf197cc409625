"""Means with their spread, as cells of tables show them."""

from collections.abc import Callable, Sequence

import numpy as np


def mean_and_spread(values: Sequence[float], write: Callable[[float], str]) -> str:
    """The mean as text, with the standard deviation of one value: `71.60 ± 2.60 %`, a unit that both have written once.

    A single value, and values that are all the same, such as counts of parameters, have no spread to show.
    """
    mean = write(float(np.mean(values)))
    if len(set(values)) == 1:
        return mean
    spread = write(float(np.std(values, ddof=1)))
    number, _, unit = mean.rpartition(" ")
    return f"{number} ± {spread}" if number and spread.endswith(f" {unit}") else f"{mean} ± {spread}"
