"""Faults of the files and folders of data sets, each with its location."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from resvision.core.errors import DataError, printable
from resvision.data.archives import ArchivePlace
from resvision.data.litter import is_litter
from resvision.data.places import Place, folder_entries

T = TypeVar("T")


class Fault(NamedTuple):
    """A fault of a file or a folder: its location, and what is wrong there.

    kind  the name by which a person may allow it (`data.fault_kinds`); "" for one that is never allowed
    """

    where: str
    what: str
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    def to_json(self) -> dict[str, str]:
        """Plain data; the kind where it has one."""
        return {name: text for name, text in self._asdict().items() if text}


def listing(
    folder: Place,
    faults: list[Fault],
    litter: list[str] | None = None,
    *,
    keep: Callable[[str], bool] = lambda name: False,
) -> list[tuple[str, bool]]:
    """The names in a folder, in order, each with whether it is a folder.

    Litter is left out, hidden names among it; its paths are added to `litter`. Files that `keep` names are none.
    """
    entries = all_entries(folder, faults)
    left_out = {entry for entry in entries if is_litter(entry[0], is_folder=entry[1]) and not _is_kept(entry, keep)}
    if litter is not None:
        litter += [str(folder / name) for name, _ in sorted(left_out)]
    return [entry for entry in entries if entry not in left_out] if left_out else entries


def _is_kept(entry: tuple[str, bool], keep: Callable[[str], bool]) -> bool:
    name, is_folder = entry
    return not is_folder and not name.startswith(".") and keep(name)


def all_entries(folder: Place, faults: list[Fault]) -> list[tuple[str, bool]]:
    """The names in a folder with its litter, in order, each with whether it is a folder."""
    try:
        if isinstance(folder, ArchivePlace):
            return sorted(folder.archive.names(folder.inside))
        return sorted(folder_entries(folder))
    except OSError as error:
        faults.append(fault(folder, f"cannot be listed ({error.strerror})"))
        return []


def fault_of(path: str, error: DataError) -> Fault:
    """The fault of a file whose reading raised `error`, which begins with its name."""
    return fault(path, str(error).removeprefix(f"{printable(path)}: "))


def fault_in(path: Place, error: DataError) -> Fault:
    """The fault of an error that names a line of a file, or another one that lies beside it."""
    text, shown = str(error), printable(str(path))
    where, _, what = text.removeprefix(shown).partition(": ")
    return fault(f"{path}{where}" if text.startswith(shown) else where, what)


def attempt(read: Callable[[int], T], index: int, where: str, faults: list[Fault]) -> T | None:
    """The result of `read` for a sample; None where it raises a DataError, which adds to `faults` under `where`."""
    try:
        return read(index)
    except DataError as error:
        faults.append(fault_of(where, error))
        return None


def fault(where: Place | str, what: str) -> Fault:
    """A fault of a file or a folder, in which no control character is left."""
    return Fault(printable(str(where)), printable(what))


def summary(folder: Place, faults: list[Fault], *, name: str | None = None) -> str:
    """The faults in a line: their number, the first three, and the command that lists all; `name` of a named set."""
    first = "; ".join(map(str, faults[:3]))
    kinds = sorted({fault.kind for fault in faults})
    allowing = f"; --allow {','.join(kinds)} goes on without what they concern" if all(kinds) else ""
    if len(faults) == 1:
        return f"{first}{allowing}"
    shown = printable(str(folder))
    command = f"`resvision data check {name}` with the same --root" if name else f"`resvision data check {shown}`"
    return f"{shown}: {len(faults):,} faults: {first}; {command} lists them all{allowing}"
