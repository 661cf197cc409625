"""Classes of all splits of a set with boxes, which go by name: ids and orders may differ from split to split."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from resvision.core.class_names import LONGEST, is_class_name
from resvision.core.errors import printable
from resvision.data.box_columns import NO_LABEL, BoxColumns
from resvision.data.box_parts import BoxPart
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import fault
from resvision.data.places import Place

MOST_CLASSES = 100_000
"""The limit of names that a set may list."""


def name_faults(where: Place | str, names: tuple[str, ...], ledger: Ledger) -> None:
    """Add the faults of a list of names: none at all, two that are equal, or one that no terminal can show."""
    if not 0 < len(names) <= MOST_CLASSES:
        ledger.faults.append(fault(where, f"{len(names):,} classes; 1 to {MOST_CLASSES:,} are due"))
    seen: set[str] = set()
    for name in names:
        if not is_class_name(name):
            what = f"the class name '{printable(name):.60}' is empty, not printable or longer than {LONGEST} letters"
            ledger.faults.append(fault(where, what))
        if name in seen:
            ledger.faults.append(fault(where, f"two classes of the name {printable(name)}; join or rename them"))
        seen.add(name)


def in_classes(part: BoxPart, classes: tuple[str, ...], ledger: Ledger) -> BoxColumns:
    """The columns of a part with labels that index `classes`; boxes of others are faults, or left out."""
    own_labels = part.columns.labels
    known = {name: label for label, name in enumerate(classes)}
    label_of = np.array([*(known.get(name, NO_LABEL) for name in part.names), NO_LABEL], dtype=np.int64)
    labels: NDArray[np.int64] = label_of[own_labels]  # NO_LABEL, -1, is the last of them
    lacking = np.flatnonzero((labels == NO_LABEL) & (own_labels != NO_LABEL))
    images = part.columns.images
    for row in lacking.tolist():
        name = printable(part.names[own_labels[row]])
        where = part.sources.where(int(images[row]), int(part.columns.lines[row]))
        ledger.add("unknown-classes", where, f"the class {name}, which is not among those of training")
    return replace(part.columns, labels=labels).where(labels != NO_LABEL)


def ids_of(part: BoxPart, classes: tuple[str, ...]) -> tuple[int, ...]:
    """The id that the files of a part give each class; the first free ones for classes that they do not name.

    Files that give none, as those of VOC, count from 0.
    """
    if not part.ids:
        return tuple(range(len(classes)))
    id_of = dict(zip(part.names, part.ids, strict=True))
    free = iter(range(max(part.ids, default=-1) + 1, max(part.ids, default=-1) + 1 + len(classes)))
    return tuple(id_of[name] if name in id_of else next(free) for name in classes)
