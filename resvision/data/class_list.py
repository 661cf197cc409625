"""Classes of the stored values of masks, and the class list of a folder, `classes.txt`.

Glossary
    stored values   the numbers in a mask file, 0..255
    labels          the classes that a net is trained on, 0..K-1, and VOID
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError
from resvision.core.files import SMALL, read_whole
from resvision.core.images import VOID
from resvision.data.archives import ArchivePlace
from resvision.data.faults import Fault, all_entries, fault, fault_of
from resvision.data.places import BYTE_ORDER_MARK, Place

CLASS_LIST = "classes.txt"

_NUMBERED = re.compile(r"([0-9]+)\s*[\s:,]\s*(.+)")
_NUMBERED_BEHIND = re.compile(r".*[:,=\t]\s*[0-9]+")

UNKNOWN = -1
"""Stands in place of a label for a stored value that is neither a class nor void."""

Labels = NDArray[np.int16]
"""The label of every stored value, (256,): 0..K-1, VOID, or UNKNOWN."""


def labels_of(classes: Iterable[int], void: Iterable[int] = (VOID,)) -> Labels:
    """The label of every stored value: `classes` are the values of class 0, 1, ... in order, `void` those of void."""
    labels = np.full(256, UNKNOWN, dtype=np.int16)
    labels[[*void]] = VOID
    for label, value in enumerate(classes):
        labels[value] = label
    return labels


class ClassList(NamedTuple):
    """The classes of a folder.

    names        of the classes, in order
    labels       of every stored value
    states_void  whether a line says that VOID is void, which it is without one too
    """

    names: tuple[str, ...]
    labels: Labels
    states_void: bool


def class_list(text: str) -> tuple[tuple[str, ...], Labels]:
    """Read a list of one class a line into class names and the label of every stored value.

    A line is a name, whose stored value is one above that of the line before it, the first being 0; or a value and a
    name, with a space, a colon, a comma or a tab between them, as in `255 object` or `1:object`. The name `void` marks
    a value that is not judged; 255 is void unless a line names it. Classes are numbered in the order of their stored
    values. A byte order mark is left out. Raises ValueError.
    """
    names = _stated_names(text)
    classes = {value: name for value, name in sorted(names.items()) if not _is_void(name)}
    if len(set(classes.values())) < len(classes):
        twice = next(name for name in classes.values() if [*classes.values()].count(name) > 1)
        raise ValueError(f"{twice!r} is there twice")
    if len(classes) < 2:
        fault = f"one class only, {next(iter(classes.values()))}" if classes else "no class"
        raise ValueError(f"{fault}; two are needed")
    if len(classes) > VOID:
        raise ValueError(f"{len(classes)} classes; labels end at {VOID - 1}, since {VOID} is void")
    return tuple(classes.values()), labels_of(classes, {VOID, *names} - {*classes})


def _stated_names(text: str) -> dict[int, str]:
    """The name of each stored value that a class list has a line for, `void` among them. Raises ValueError."""
    names: dict[int, str] = {}
    value = -1
    for line in filter(None, map(str.strip, text.removeprefix(BYTE_ORDER_MARK).splitlines())):
        numbered = _NUMBERED.fullmatch(line)
        value, name = (int(numbered[1]), numbered[2]) if numbered else (value + 1, line)
        if value > 255:
            raise ValueError(f"{name!r} has the value {value}; masks hold 0..255")
        if value in names:
            raise ValueError(f"{names[value]!r} and {name!r} both have the value {value}")
        if not name.isprintable():
            raise ValueError(f"{name!r} is no printable name")
        if not numbered and _NUMBERED_BEHIND.fullmatch(name):
            raise ValueError(f"{name!r} has a number behind the name; write the value first")
        names[value] = name
    return names


def _is_void(name: str) -> bool:
    return name.casefold() == "void"


def listed_classes(folder: Place, faults: list[Fault]) -> ClassList | None:
    """The folder's class list; None where it has none, or a bad one, which adds to `faults`."""
    path = folder / CLASS_LIST
    if (CLASS_LIST, False) not in all_entries(folder, []):
        return None
    try:
        content = path.read_bytes(SMALL) if isinstance(path, ArchivePlace) else read_whole(path, SMALL)
        text = content.decode()
        return ClassList(*class_list(text), states_void=_is_void(_stated_names(text).get(VOID, "")))
    except DataError as error:
        faults.append(fault_of(str(path), error))
        return None
    except (ValueError, OSError) as error:
        faults.append(fault(path, "not a text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)))
        return None


def unknown_values(values: NDArray[Any], labels: Labels) -> str:
    """The fault of a mask with these values, some of which are neither a class nor void, in words."""
    unknown = [str(value) for value in values.tolist() if labels[value] == UNKNOWN]
    listed = np.flatnonzero((labels != UNKNOWN) & (labels != VOID))
    void = ", ".join(map(str, np.flatnonzero(labels == VOID).tolist()))
    noun = "value" if len(unknown) == 1 else "values"
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    ending = f", void {void}" if void else ""
    return f"{noun} {', '.join(unknown[:5])}{more} outside the class list ({_ranges(listed.tolist())}{ending})"


def _ranges(values: list[int]) -> str:
    """Rising numbers written short, such as 0..4, 7."""
    starts = [value for value in values if value - 1 not in values]
    ends = [value for value in values if value + 1 not in values]
    return ", ".join(f"{a}..{b}" if b > a else str(a) for a, b in zip(starts, ends, strict=True))
