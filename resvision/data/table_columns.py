"""Columns of a table and what they say of an image, found by content, or as a person has said: `path=file,label=breed`.

Glossary
    role    what a column says: the path of an image, the path of its mask, its label, its split
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from resvision.core.errors import DataError, SettingsError, printable, unknown_name
from resvision.data.places import Place
from resvision.data.split_folders import TEST, TRAIN, VALIDATION
from resvision.data.table_files import Table, is_file

ROLES = ("path", "mask", "label", "split")

SPLITS = {TRAIN: TRAIN, "training": TRAIN, TEST: TEST, "testing": TEST, "dev": "val"} | dict.fromkeys(VALIDATION, "val")
"""The split that each cell of a column of splits stands for, in small letters."""
LEFT_OUT = "none"
"""The cell of an image that is to have no part."""

_SPLIT_NAMES = {"split", "splits", "set", "subset", "partition", "part"}
_LABEL_NAMES = {"label", "labels", "class", "classes", "class_name", "label_name", "category", "target", "y"}
_MASK_NAMES = ("mask", "label", "annotation", "target", "segmentation")
_SAMPLED = 200


class Roles(NamedTuple):
    """The columns of each role; None where a table has none.

    path  may be a pattern, `train/{id}.jpg`, whose braces hold the name of a column
    """

    path: str
    mask: str | None = None
    label: str | None = None
    split: str | None = None


def stated(columns: Sequence[str], known: Sequence[str] = ROLES) -> dict[str, str]:
    """The column of each role as a person has said, `role=column` each.

    Raises SettingsError for another form, and for a role that is not `known`.
    """
    roles: dict[str, str] = {}
    for text in columns:
        role, sign, column = text.partition("=")
        if not sign or not column:
            raise SettingsError(f"data.columns: {text!r:.60} is not of the form {known[0]}=COLUMN,{known[2]}=COLUMN")
        if role not in known:
            raise SettingsError(f"data.columns: {unknown_name('role', role[:60], known)}")
        roles[role] = column
    return roles


def roles_of(table: Table, home: Place, columns: Sequence[str]) -> Roles:
    """The columns of a table by role: those that are stated, the others by content.

    Raises SettingsError for a stated column that the table lacks, DataError where content does not tell the path of
    images, or tells several labels.
    """
    stated_columns = stated(columns)
    for column in stated_columns.values():
        if column not in table.columns and not _fields(column):
            raise SettingsError(
                f"data.columns: {printable(str(table.path))}: {unknown_name('column', column, table.columns)}"
            )
    taken = {*stated_columns.values(), *(field for column in stated_columns.values() for field in _fields(column))}
    # Files and splits are told by their cells, and labels are among what is left.
    free = [column for column in table.columns if column not in taken]
    files = [column for column in free if _share(table.column(column), lambda cell: is_file(home, cell)) > 0.5]
    mask = stated_columns.get("mask") or _mask(files, is_alone="path" not in stated_columns)
    path = stated_columns.get("path") or next((column for column in files if column != mask), None)
    if path is None:
        raise DataError(_no_path(table))
    rest = [column for column in free if column not in files]
    split = stated_columns.get("split") or _split(table, rest)
    labels = [column for column in rest if column != split]
    label = stated_columns.get("label") or (None if mask else _label(table, labels))
    return Roles(path, mask, label, split)


def paths(table: Table, pattern: str) -> list[str]:
    """The paths that a column holds, or that a pattern gives of columns, in the order of the rows."""
    if pattern in table.columns:
        return table.column(pattern)
    cells = {field: iter(table.column(field)) for field in _fields(pattern) if field in table.columns}
    return [_filled(pattern, {field: next(column) for field, column in cells.items()}) for _ in table.rows]


def present(table: Table, columns: Sequence[str]) -> list[str]:
    """The stated columns that a table has."""
    fields = {text: _fields(text.partition("=")[2]) or [text.partition("=")[2]] for text in columns}
    return [text for text in columns if {*fields[text]} <= {*table.columns}]


def _fields(pattern: str) -> list[str]:
    return [part.partition("}")[0] for part in pattern.split("{")[1:] if "}" in part]


def _filled(pattern: str, cells: dict[str, str]) -> str:
    for field, cell in cells.items():
        pattern = pattern.replace(f"{{{field}}}", cell)
    return pattern


def _share(cells: Sequence[str], holds: Callable[[str], bool]) -> float:
    """The share of cells of which something holds, by a sample."""
    sample = cells[:: max(1, len(cells) // _SAMPLED)]
    return sum(map(holds, sample)) / max(1, len(sample))


def _mask(files: Sequence[str], *, is_alone: bool) -> str | None:
    """The column of masks among columns of files, by its name, or the second of two."""
    if len(files) < 1 + is_alone:
        return None
    named = [column for column in files if any(word in column.casefold() for word in _MASK_NAMES)]
    return named[0] if len(named) == 1 else files[-1] if len(files) == 1 + is_alone else None


def _split(table: Table, columns: Sequence[str]) -> str | None:
    """The column all of whose cells are splits, or that is called as one."""
    for column in columns:
        cells = {cell.casefold() for cell in table.column(column)}
        if cells <= {*SPLITS, LEFT_OUT} or (column.casefold() in _SPLIT_NAMES and cells & {*SPLITS}):
            return column
    return None


def _label(table: Table, columns: Sequence[str]) -> str | None:
    """The column of labels: the only one, or of those with few values the only one, or that with a usual name."""
    if len(columns) < 2:
        return columns[0] if columns else None
    cells = {column: table.column(column) for column in columns}
    few = [column for column in columns if 2 <= len({*cells[column]}) <= len(table.rows) / 2]
    named = [column for column in few or columns if column.casefold() in _LABEL_NAMES]
    candidates = few if len(few) == 1 else named if len(named) == 1 else few
    words = [column for column in candidates if not all(cell.lstrip("-").isdigit() for cell in cells[column])]
    # a number and a name of the same class, one for one: the name says more
    pairs = {tuple(cells[column][index] for column in candidates) for index in range(len(table.rows))}
    if len(words) == 1 and all(len({*cells[column]}) == len(pairs) for column in candidates):
        return words[0]
    if len(candidates) == 1:
        return candidates[0]
    shown = ", ".join(f"{printable(column)} ({len({*cells[column]}):,} values)" for column in candidates or columns)
    example = f"--columns label={printable((candidates or columns)[0])}"
    raise DataError(f"{printable(str(table.path))}: which column is the label? {shown}; say it, such as `{example}`")


def _no_path(table: Table) -> str:
    first = table.rows[0].cells if table.rows else [""] * len(table.columns)
    cells = [f"{printable(name)} ({printable(cell[:40])})" for name, cell in zip(table.columns, first, strict=True)]
    column = printable(table.columns[0])
    return (
        f"{printable(str(table.path))}: no column whose values are files beside it: {', '.join(cells)}; say which is"
        f" the path, such as `--columns path={column}`, or how it is made, `--columns 'path=images/{{{column}}}.jpg'`"
    )
