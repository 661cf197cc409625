"""Images that two splits of a set with boxes name: what judges a run must not be among what it is trained on."""

from collections.abc import Iterator

import numpy as np

from resvision.data.box_parts import BoxPart
from resvision.data.fault_kinds import Ledger


def without_shared(parts: list[BoxPart], ledger: Ledger) -> list[BoxPart]:
    """The parts, in the order training, result, on the way, without images that a later judge names as well.

    Those of training that judge, and those that judge on the way and the result, are faults, or are left out.
    """
    if len({str(part.images) for part in parts}) == len(parts):
        return parts  # each has a folder of its own
    names = [{*_names(part)} for part in parts]
    test, *validation = names[1:]
    judges = [test.union(*validation), set[str](), *(test for _ in validation)]
    return [_without(part, taken, ledger) for part, taken in zip(parts, judges, strict=True)]


def _names(part: BoxPart) -> Iterator[str]:
    """Yield the paths of a part's images."""
    return (part.source(index) for index in range(len(part)))


def _without(part: BoxPart, taken: set[str], ledger: Ledger) -> BoxPart:
    shared = [index for index, name in enumerate(_names(part)) if name in taken]
    for index in shared:
        ledger.add("shared-images", part.source(index), f"in {part.split} and in a split that judges, too")
    return part.at(np.setdiff1d(np.arange(len(part)), shared)) if shared else part
