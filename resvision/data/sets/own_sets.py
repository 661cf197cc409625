"""The splits that a function of a user's own gives, and what they must be."""

from pathlib import Path
from typing import Any

from resvision.core import references
from resvision.core.errors import DataError, SettingsError
from resvision.core.samples import Reader
from resvision.data.splits import Splits
from resvision.kinds.table import kind_of

_READER_MEMBERS = ("name", "split", "classes", "view", "__len__", "__getitem__", "target", "source")


def own_splits(name: str, root: Path | None, task: str | None) -> Splits:
    """Open the splits of a user's function; DataError for a reader that is none."""
    opener = references.load(name, noun="data set")
    with references.own_code(name, error=DataError):
        splits = opener(root)
    if not isinstance(splits, Splits):
        raise DataError(f"{name}: gave {type(splits).__name__}, not resvision.data.splits.Splits")
    for reader in splits.readers:
        if missing := [member for member in _READER_MEMBERS if not hasattr(reader, member)]:
            raise DataError(f"{name}: {type(reader).__name__} is no Reader, it lacks {', '.join(missing)}")
        if not isinstance(reader, Reader):
            raise DataError(
                f"{name}: {type(reader).__name__} is no Reader; make it one of resvision.core.samples.Reader"
            )
        _check_target(name, reader, task)
    return splits


def _check_target(name: str, reader: Reader[Any], task: str | None) -> None:
    """Raise SettingsError where the first target is not of the task's form."""
    if task is None or not len(reader):
        return
    with references.own_code(name, error=DataError):
        target = reader.target(0)
    if fault := kind_of(task).target_fault(target, reader.classes):
        raise SettingsError(f"{name}: not a data set for {task}: the target of {reader.source(0)} is {fault}")
