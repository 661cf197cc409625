"""The names of classes in `classes.txt` beside boxes, one a line in the order of their ids."""

from resvision.core.errors import DataError
from resvision.core.files import SMALL
from resvision.data.class_list import CLASS_LIST
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import all_entries, fault, fault_of
from resvision.data.places import Place, read_text


def listed_names(folder: Place, ledger: Ledger) -> tuple[str, ...] | None:
    """The names of a folder's list; None where it has none, or one that cannot be read, which is a fault."""
    path = folder / CLASS_LIST
    if (CLASS_LIST, False) not in all_entries(folder, []):
        return None
    try:
        names = [line.strip() for line in read_text(path, SMALL).rstrip().splitlines()]
    except DataError as error:
        ledger.faults.append(fault_of(str(path), error))
        return None
    if "" in names:
        what = "an empty line between names, which may stand for a class; name it or take it out"
        ledger.faults.append(fault(f"{path}:{names.index('') + 1}", what))
    return tuple(filter(None, names))
