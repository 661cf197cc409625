"""Runs on a page whose data have moved: a set with their images, by name and content, is taken for theirs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from resvision.core import references
from resvision.data import identities
from resvision.data.listed_images import known_columns
from resvision.data.sets import full_name, open_splits
from resvision.relocation import has_names_of
from resvision.report.record import RunRecord
from resvision.run import run_from_json


def record_at(
    record: RunRecord, data: str | Path | None, root: str | Path | None, columns: Sequence[str] | None = None
) -> RunRecord:
    """The record with its data at the place that is named where they are the run's; as it is otherwise.

    A run that kept no list of its images, as older ones, knows its data by names, classes and split. Raises DataError
    where there are no such data.
    """
    if data is None and root is None:
        return record
    name = str(record.setting("data.name")) if data is None else full_name(data)
    home = record.setting("data.root") if root is None else str(Path(root).resolve())
    if references.is_reference(name):  # which is code, to be run only where pictures are shown
        return record
    stated = known_columns(name, record.setting("data.columns") or ()) if columns is None else columns
    moved = {**record.run["data"], "name": name, "root": home, "columns": list(stated)}
    known = identities.read(record.folder)
    if known is None:
        is_own = has_names_of(run_from_json({**record.run, "data": moved}), name, home)
    else:
        allow = record.setting("data.allow") or ()
        place = Path(home) if home else None
        splits = open_splits(name, root=place, task=record.task_name, columns=stated, allow=allow, **record.cutting)
        is_own = known.is_set_of(splits.readers)
    return replace(record, run={**record.run, "data": moved}) if is_own else record
