"""The opening of data by name: a set of the table, a folder, archive or table of images, or a user's own function."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from resvision.core import references
from resvision.core.errors import DataError, SettingsError, printable, unknown_name
from resvision.core.samples import AS_RECORDED, AS_USUAL, Drawing, Timing
from resvision.data.layouts import layout_for, require_task
from resvision.data.places import at
from resvision.data.sets.data_set import load
from resvision.data.sets.own_sets import own_splits
from resvision.data.sets.table import names, row
from resvision.data.splits import Splits
from resvision.kinds.table import TASKS, USUAL, kind_of


class Cutting(TypedDict):
    """The arguments of `open_splits` by which samples are cut out of recordings and drawn."""

    timing: Timing
    drawing: Drawing


def open_splits(
    name_or_folder: str,
    *,
    root: Path | None = None,
    channels: int | None = None,
    image_size: int | None = None,
    task: str | None = USUAL,
    columns: Sequence[str] = (),
    allow: Sequence[str] = (),
    timing: Timing = AS_RECORDED,
    drawing: Drawing = AS_USUAL,
) -> Splits:
    """Open a named data set, a folder, archive or table of images, or what a `package.module:function` gives.

    root        folder that holds the set's files; by default the places that the set looks at by itself
    channels    1 or 3, for nets that do not take the set's own
    image_size  side of the net's images in pixels, in place of the set's own; without resizing that of training crops
    task        the task that a folder is read for and a set must be made for; None takes every set, and reads a folder
                by its structure
    columns     of a table by role, as `path=file`, where their contents do not tell them
    allow       kinds of faults that are left out (`data.fault_kinds`)
    timing      the cuts of recordings, and `drawing` their drawings; what is left open is up to the set

    Raises UnknownNameError, SettingsError for a set made for another task, a folder whose layout has no such kinds, or
    cuts and drawings of what is neither cut nor drawn, and DataError for one that is missing or damaged.
    """
    if image_size is not None and image_size < 1:
        raise SettingsError(f"image_size must be at least 1, got {image_size}")
    splits = _open(name_or_folder, root, task, columns, allow, timing.frame_seconds)
    # A drawing that a person asks for is of the size that they ask for, so that one comes first.
    return splits.seen_as(image_size=image_size).recut(timing, drawing).seen_as(channels=channels)


def made_for(name_or_folder: str, *, root: Path | None = None, columns: Sequence[str] = ()) -> str:
    """The task that the labels of a data set, folder, archive, table or `package.module:function` are for.

    Raises as `open_splits`, and SettingsError where a user's own function gives what no task of ours takes.
    """
    if name_or_folder in names():
        return row(name_or_folder).task
    if Path(name_or_folder).exists():
        return layout_for(at(Path(name_or_folder)), None, columns)[0]
    reader = open_splits(name_or_folder, root=root, task=None).train
    if len(reader):
        target = reader.target(0)
        for task in TASKS:
            if not kind_of(task).target_fault(target, reader.classes):
                return task
    raise SettingsError(f"{printable(name_or_folder)}: no task of ours is for such targets")


def require_place(name_or_folder: str, owner: str) -> None:
    """Raise DataError where the folder or file that holds the data of `owner`, a run, is no longer there."""
    known = name_or_folder in names() or references.is_reference(name_or_folder)
    if not known and not Path(name_or_folder).exists():
        raise DataError(
            f"{printable(owner)}: its data, {printable(name_or_folder)}, are not there any longer; if they have moved,"
            " `--data FOLDER` says where they lie now"
        )


def full_name(data: str | Path) -> str:
    """The name of a data set; of a folder or file its full path, which holds in any working directory."""
    name = str(data)
    return str(Path(name).resolve()) if name not in names() and Path(name).exists() else name


def _open(
    name_or_folder: str,
    root: Path | None,
    task: str | None,
    columns: Sequence[str],
    allow: Sequence[str],
    frame_seconds: float | None,
) -> Splits:
    if name_or_folder in names():
        data_set = row(name_or_folder)
        require_task(name_or_folder, data_set.task, task)
        splits: Splits = load(data_set, data_set.opener, root, allow)
        return splits
    folder = Path(name_or_folder)
    if folder.exists():
        location = at(folder)
        labels_task, layout = layout_for(location, task, columns, allow, frame_seconds)
        require_task(name_or_folder, labels_task, task)
        return layout.open(location, columns)
    if references.is_reference(name_or_folder):
        return own_splits(name_or_folder, root, task)
    raise unknown_name("data set", name_or_folder, names(), remedy="and no such folder exists")
