"""Faults of data sets, and the files and folders, on disk or inside a tar, that have them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from resvision.core.errors import DataError, printable
from resvision.data.litter import is_litter
from resvision.data.tars import TarPlace, open_tar

T = TypeVar("T")

Place = Path | TarPlace
"""The location of a file or a folder: on disk, or inside a tar."""


class Fault(NamedTuple):
    """A fault of a file or a folder: its location, and what is wrong there."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def at(path: Path) -> Place:
    """The folder of images that a path names: itself, or what a tar file holds. Raises DataError for other files."""
    return path if path.is_dir() else open_tar(path)


def listing(folder: Place, faults: list[Fault], litter: list[str] | None = None) -> list[tuple[str, bool]]:
    """The names in a folder, in order, each with whether it is a folder.

    Litter is left out, hidden names among it; its paths are added to `litter`.
    """
    entries = all_entries(folder, faults)
    left_out = {entry for entry in entries if is_litter(entry[0], is_folder=entry[1])}
    if litter is not None:
        litter += [str(folder / name) for name, _ in sorted(left_out)]
    return [entry for entry in entries if entry not in left_out] if left_out else entries


def all_entries(folder: Place, faults: list[Fault]) -> list[tuple[str, bool]]:
    """The names in a folder with its litter, in order, each with whether it is a folder."""
    try:
        if isinstance(folder, TarPlace):
            return sorted(folder.archive.names(folder.inside))
        with os.scandir(folder) as scanned:
            return sorted((entry.name, _is_folder(entry)) for entry in scanned)
    except OSError as error:
        faults.append(fault(folder, f"cannot be listed ({error.strerror})"))
        return []


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()  # noqa: PTH112 - False for link loops


def fault_of(path: str, error: DataError) -> Fault:
    """The fault of a file whose reading raised `error`, which begins with its name."""
    return fault(path, str(error).removeprefix(f"{printable(path)}: "))


def attempt(read: Callable[[int], T], index: int, where: str, faults: list[Fault]) -> T | None:
    """The result of `read` for a sample; None where it raises a DataError, which adds to `faults` under `where`."""
    try:
        return read(index)
    except DataError as error:
        faults.append(fault_of(where, error))
        return None


def fault(where: Place | str, what: str) -> Fault:
    """A fault of a file or a folder."""
    return Fault(printable(str(where)), what)


def summary(folder: Place, faults: list[Fault], *, name: str | None = None) -> str:
    """The faults in a line: their number, the first three, and the command that lists all; `name` of a named set."""
    first = "; ".join(map(str, faults[:3]))
    if len(faults) == 1:
        return first
    shown = printable(str(folder))
    command = f"`resvision data check {name}` with the same --root" if name else f"`resvision data check {shown}`"
    return f"{shown}: {len(faults):,} faults: {first}; {command} lists them all"
