"""Images that a table lists, one a line: their paths, and what stands beside them, such as class, mask and split.

A table is named itself, `labels.csv`, or lies beside the images as `split.csv` and says which are for training. Faults
name the file and the line.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from resvision.core.errors import DataError
from resvision.data.faults import Fault, all_entries, fault, fault_of, listing
from resvision.data.places import Place
from resvision.data.split_folders import TEST, TRAIN
from resvision.data.table_columns import LEFT_OUT, SPLITS, Roles, paths, present, roles_of
from resvision.data.table_files import Table, clean, full_path, is_file, is_table, leads_out, read_table

SPLIT_TABLE = "split.csv"
"""The table that lies beside images and says the split of each."""

VAL = "val"
_DEEPEST = 16
_SHOWN = 3


class ListedImage(NamedTuple):
    """A line of a table: its number, the path of the image in the folder, and the cells beside it, "" for none."""

    line: int
    path: str
    label: str
    mask: str
    split: str


class Listed(NamedTuple):
    """A table, the folder that its paths lie in, its columns by role, and its images in order of path."""

    table: Table
    home: Place
    roles: Roles
    images: list[ListedImage]

    def where(self, image: ListedImage) -> str:
        """The file and the line of an image."""
        return f"{self.table.path}:{image.line}"


def has_split_table(folder: Place) -> bool:
    """Whether the table that says the split of each image lies in a folder."""
    return (SPLIT_TABLE, False) in all_entries(folder, [])


def known_columns(name: str, columns: Sequence[str]) -> Sequence[str]:
    """Leave out columns, stated for another table, that this table lacks; a folder takes all."""
    path = Path(name)
    table = read_table(path, path.parent, []) if columns and is_table(path) else None
    return columns if table is None else present(table, columns)


def lists_masks(path: Path, columns: Sequence[str]) -> bool:
    """Whether a table has a column of masks beside that of images."""
    table = read_table(path, path.parent, [])
    try:
        return table is not None and roles_of(table, path.parent, columns).mask is not None
    except DataError:
        return False


def read_listed(
    path: Place, homes: Sequence[Place], columns: Sequence[str], faults: list[Fault], *, outside: bool = True
) -> Listed | None:
    """The images that a table lists in the first of `homes` that holds its files; None where it cannot be read.

    Files that are missing, that are there twice, and splits that are none add to `faults`.

    outside  whether the table may name files outside of the folder, as one does that a person names and no other
    """
    error: DataError | None = None
    for home in homes:
        own: list[Fault] = []
        table = read_table(path, home, own)
        if table is None:
            faults += own
            return None
        try:
            roles = roles_of(table, home, columns)
        except DataError as raised:
            error = error or raised
            continue
        faults += own
        images = sorted(_images(table, roles, home, faults, outside=outside), key=lambda image: image.path)
        return Listed(table, home, roles, images)
    assert error is not None, "a folder was named"
    faults.append(fault_of(str(path), error))
    return None


def _images(table: Table, roles: Roles, home: Place, faults: list[Fault], *, outside: bool) -> Iterator[ListedImage]:
    """Yield the lines whose images are there and have a part."""
    below = full_path(home)
    empty = [""] * len(table.rows)
    labels, splits = (empty if name is None else table.column(name) for name in (roles.label, roles.split))
    masks = empty if roles.mask is None else paths(table, roles.mask)
    first: dict[str, int] = {}
    for row, path, label, mask, split in zip(table.rows, paths(table, roles.path), labels, masks, splits, strict=True):
        where, image = f"{table.path}:{row.line}", clean(path, below=below)
        files = [image, *([clean(mask, below=below)] if roles.mask else [])]
        missing = [file or "an empty path" for file in files if not is_file(home, file)]
        strange = [] if outside else [file for file in files if leads_out(file)]
        if missing:
            faults.append(fault(where, f"{missing[0]}: no such file"))
        elif strange:
            what = "lies outside of the folder; name it by a table of your own, or copy it there"
            faults.append(fault(where, f"{strange[0]} {what}"))
        elif (earlier := first.setdefault(image, row.line)) != row.line:
            faults.append(fault(where, f"{image} is in line {earlier}, too"))
        elif roles.split is not None and split.casefold() not in {*SPLITS, LEFT_OUT}:
            what = f"the split {split!r:.40} is none of {TRAIN}, {VAL}, {TEST}" if split else "no split"
            faults.append(fault(where, f"{what}; `{LEFT_OUT}` leaves an image out"))
        else:
            part = SPLITS.get(split.casefold(), LEFT_OUT) if roles.split is not None else ""
            yield ListedImage(row.line, image, label, files[-1] if roles.mask else "", part)


class Parts(NamedTuple):
    """The images of a table by split, in the order training, test, validation, and the rule of it in words."""

    images: dict[str, list[ListedImage]]
    rule: str


def parted(listed: Listed, faults: list[Fault]) -> Parts:
    """The images of a table with a column of splits; where val and test are there, val judges on the way."""
    by_split = {split: [image for image in listed.images if image.split == split] for split in (TRAIN, TEST, VAL)}
    rule = f"by the column {listed.roles.split} of {listed.table.path.name}"
    unlabelled = listed.roles.label is not None and not any(image.label for image in by_split[TEST])
    if by_split[TEST] and by_split[VAL] and unlabelled:
        rule += f"; the {len(by_split[TEST]):,} test images without labels are left untouched"
        by_split[TEST] = []
    elif by_split[TEST] and by_split[VAL]:
        rule += f"; {VAL} judges on the way, {TEST} the result"
    if left_out := sum(image.split == LEFT_OUT for image in listed.images):
        rule += f"; {left_out:,} are left out by `{LEFT_OUT}`"
    test = [split for split in (TEST, VAL) if by_split[split]]
    if not by_split[TRAIN] or not test:
        faults.append(fault(listed.table.path, f"no images of {TRAIN}" if test else f"no images of {VAL} or {TEST}"))
    parts = {TRAIN: by_split[TRAIN], **{split: by_split[split] for split in test or [VAL]}}
    return Parts(parts, rule)


def not_listed(listed: Listed, folder: Place, litter: list[str]) -> Iterator[Fault]:
    """Yield the fault of images in a folder and below that its table does not list."""
    below, listed_paths = full_path(listed.home), paths(listed.table, listed.roles.path)
    known = {image.path for image in listed.images} | {clean(path, below=below) for path in listed_paths}
    left_out = [path for path in files_below(folder, litter) if path not in known]
    litter.remove(str(folder / SPLIT_TABLE))  # litter elsewhere
    if left_out:
        yield fault(listed.table.path, missing_lines(left_out))


def missing_lines(paths: Sequence[str]) -> str:
    """The fault of images that a table of splits does not list, in words."""
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    noun = "image is" if len(paths) == 1 else "images are"
    what = f"{len(paths):,} {noun} not in it: {', '.join(paths[:_SHOWN])}{more}"
    return f"{what}; give each a split, `{LEFT_OUT}` to leave it out"


def files_below(folder: Place, litter: list[str], *, depth: int = _DEEPEST) -> Iterator[str]:
    """Yield the paths of files in a folder and below, litter left out."""
    for name, is_folder in listing(folder, [], litter):
        if not is_folder:
            yield name
        elif depth:
            yield from (f"{name}/{path}" for path in files_below(folder / name, litter, depth=depth - 1))
