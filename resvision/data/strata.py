"""Strata: the parts, such as classes, of which a split takes the same share each."""

from typing import Any

from resvision.core.samples import Reader

WITHOUT_STRATUM = -1
"""The stratum of samples that have none, such as masks, which hold many classes: all of them are one."""


def strata_of(reader: Reader[Any]) -> list[int]:
    """The stratum of every sample, at least 0, or WITHOUT_STRATUM."""
    strata = (reader.stratum(index) for index in range(len(reader)))
    return [WITHOUT_STRATUM if stratum is None else stratum for stratum in strata]
