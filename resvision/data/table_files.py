"""Tables of images in text files: CSV with any delimiter, or JSON lines; the number of each row's line is kept.

A byte order mark is left out, fields may be quoted, and a first row that names a file is no header: columns are then
called 1, 2 and so on.
"""

import csv
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from statistics import mode
from typing import NamedTuple

from resvision.core.errors import DataError
from resvision.core.files import LIST, parse_json, read_whole
from resvision.data.faults import Fault, fault, fault_of
from resvision.data.places import TABLES, Place, head

DELIMITERS = ",;\t| "
MOST_COLUMNS = 1000
_SAMPLED_LINES = 20
_SAMPLED_BYTES = 2**16


class Row(NamedTuple):
    """A row of a table: the number of its line, and its cells."""

    line: int
    cells: tuple[str, ...]


class Table(NamedTuple):
    """A table of text: the file, the names of its columns, and the rows below them."""

    path: Place
    columns: tuple[str, ...]
    rows: list[Row]

    def column(self, name: str) -> list[str]:
        """The cells of a column, in the order of the rows."""
        position = self.columns.index(name)
        return [row.cells[position] for row in self.rows]


def is_table(path: Path) -> bool:
    """Whether a file is a table by the ending of its name."""
    return path.suffix.casefold() in TABLES and path.is_file()


def read_table(path: Place, home: Place, faults: list[Fault], *, limit: int = LIST) -> Table | None:
    """The table in a file, whose images lie below `home`; None where there is none, which adds to `faults`.

    A file has at most `limit` bytes. A row of more or fewer cells than there are columns is left out and adds to
    `faults`.
    """
    try:
        content = read_whole(path, limit) if isinstance(path, Path) else path.read_bytes(limit)
        rows = [row for row in _rows(_decoded(content)) if any(row.cells)]
    except DataError as error:
        faults.append(fault_of(str(path), error))
        return None
    except (OSError, ValueError, csv.Error) as error:
        faults.append(fault(path, str(error)))
        return None
    if len(rows) < 2 or len(rows[0].cells) > MOST_COLUMNS:
        faults.append(fault(path, "no table: a line with the names of columns is due, and lines below it"))
        return None
    columns = rows[0].cells
    if any(is_file(home, cell) for cell in columns):
        columns = tuple(str(number) for number in range(1, len(columns) + 1))
    else:
        rows = rows[1:]
    if twice := [name for name in columns if columns.count(name) > 1]:
        faults.append(fault(path, f"two columns of the name {twice[0]!r}"))
        return None
    faults += [
        fault(f"{path}:{row.line}", f"{len(row.cells)} columns in place of {len(columns)}")
        for row in rows
        if len(row.cells) != len(columns)
    ]
    return Table(path, columns, [row for row in rows if len(row.cells) == len(columns)])


def header(path: Place) -> tuple[str, ...]:
    """The names of the columns of a table, by the first of its lines alone; none where they cannot be read."""
    content = head(path, _SAMPLED_BYTES)
    lines = content[: content.rfind(b"\n") + 1] or content
    try:
        return next((row.cells for row in _rows(_decoded(lines)) if any(row.cells)), ())
    except (ValueError, csv.Error):
        return ()


def clean(value: str, *, below: str = "") -> str:
    """The path in a cell, written as this system writes it; without the full path `below` where it begins so."""
    return os.path.normpath(value.replace("\\", "/")).removeprefix(below) if value else ""


def full_path(home: Place) -> str:
    """The beginning of full paths of files below a folder; "" of one in an archive, which has none."""
    return f"{home.absolute()}{os.sep}" if isinstance(home, Path) else ""


def leads_out(path: str) -> bool:
    """Whether a clean path leads out of the folder that it is read from."""
    return path.startswith("../") or os.path.isabs(path)  # noqa: PTH117 - faster


def is_file(home: Place, value: str) -> bool:
    """Whether a cell names a file below a folder, or by its full path."""
    path = clean(value)
    if not path or path == ".":
        return False
    return os.path.isfile(home / path) if isinstance(home, Path) else (home / path).is_file()  # noqa: PTH113 - faster


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise ValueError("not a text in UTF-8; save it so") from None


def _rows(text: str) -> Iterator[Row]:
    """Yield all rows, the header among them."""
    if text.lstrip().startswith("{"):
        yield from _json_rows(text)
        return
    reader = csv.reader(StringIO(text, newline=""), delimiter=_delimiter(text), skipinitialspace=True)
    try:
        for cells in reader:
            yield Row(reader.line_num, tuple(cell.strip() for cell in cells))
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None


def _json_rows(text: str) -> Iterator[Row]:
    """Yield the keys of the first object, then the values of each; ValueError with the line of one of another form."""
    columns: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = parse_json(line)
        except ValueError as error:
            raise ValueError(f"line {number}: no JSON ({error})") from None
        if not isinstance(record, dict):
            raise ValueError(f"line {number}: no JSON object; write an object a line, such as {{...}}")
        if not columns:
            columns = tuple(record)
            yield Row(number, columns)
        if other := record.keys() ^ {*columns}:
            raise ValueError(f"line {number}: {min(other)!r:.60} is not in every object")
        yield Row(number, tuple(_cell(record[column]) for column in columns))


def _cell(value: object) -> str:
    return "" if value is None else value.strip() if isinstance(value, str) else str(value)


def _delimiter(text: str) -> str:
    """The delimiter that cuts the first lines into the most columns, of an equal number in most of them."""
    lines = text.splitlines()[:_SAMPLED_LINES]

    def columns(delimiter: str) -> int:
        try:
            counts = [len(row) for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if row]
        except csv.Error:
            return 0
        usual = mode(counts) if counts else 0
        return usual if 2 * counts.count(usual) > len(counts) else 0

    usual = max(DELIMITERS[:-1], key=columns)
    return usual if columns(usual) > 1 or not columns(" ") > 1 else " "
