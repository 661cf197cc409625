"""Many file names in little memory."""

import os
from array import array
from collections.abc import Iterable

import numpy as np


class PackedNames:
    """File names end to end in one array.

    Reference counts of a list would be written to in every worker, which then has a copy of its own.
    """

    def __init__(self, names: Iterable[str]) -> None:
        packed, ends = bytearray(), array("q", [0])
        for name in names:
            packed += os.fsencode(name)
            ends.append(len(packed))
        self._bytes, self._ends = bytes(packed), np.array(ends, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        return os.fsdecode(self._bytes[self._ends[index] : self._ends[index + 1]])
