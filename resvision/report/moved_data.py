"""Runs on a page whose data have moved: a set with their images, by name and content, is taken for theirs."""

from dataclasses import replace
from pathlib import Path

from resvision.core import references
from resvision.data import identities
from resvision.data.sets import full_name, open_splits
from resvision.report.record import RunRecord


def record_at(record: RunRecord, data: str | Path | None, root: str | Path | None) -> RunRecord:
    """The record with its data at the place that is named where they are the run's; as it is otherwise.

    Raises DataError where there are no such data.
    """
    if data is None and root is None:
        return record
    name = str(record.setting("data.name")) if data is None else full_name(data)
    home = record.setting("data.root") if root is None else str(Path(root).resolve())
    known = identities.read(record.folder)
    if known is None or references.is_reference(name):  # which is code, to be run only where pictures are shown
        return record
    columns = record.setting("data.columns") or ()
    splits = open_splits(name, root=Path(home) if home else None, task=None, columns=columns)
    if not known.is_set_of(splits.readers):
        return record
    return replace(record, run={**record.run, "data": {**record.run["data"], "name": name, "root": home}})
