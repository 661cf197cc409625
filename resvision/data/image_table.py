"""Tables of images and their classes as data sets: a CSV or JSON lines, whose paths begin at its folder."""

from collections.abc import Sequence
from pathlib import Path

from resvision.data.faults import Fault
from resvision.data.folder import ClassFolders, listed_folders, opened, opened_whole, reader_of
from resvision.data.layouts import Layout, Whole
from resvision.data.listed_classes import in_table
from resvision.data.listed_images import lists_masks
from resvision.data.places import Place
from resvision.data.split_folders import TRAIN
from resvision.data.splits import Splits
from resvision.data.table_files import is_table


def open_splits(path: Place, columns: Sequence[str] = ()) -> Splits:
    """Open the splits of the images that a table lists. Raises one DataError for all faults."""
    return opened(scan(path, columns))


def open_whole(path: Place, columns: Sequence[str] = ()) -> Whole | None:
    """Open all images that a table lists as one split; None where the table has splits. Raises as `open_splits`."""
    assert isinstance(path, Path), "tables are files on disk"
    faults: list[Fault] = []
    listed = in_table(path, columns, faults, parted_here=False)
    if len(listed.parts) > 1:
        return None
    reader = reader_of(str(path.parent), "all", path.parent, listed.classes, listed.parts[TRAIN])
    return opened_whole(reader, path, faults, [])


def scan(path: Place, columns: Sequence[str] = ()) -> ClassFolders:
    """The splits of the images that a table lists, and the faults of its lines."""
    assert isinstance(path, Path), "tables are files on disk"
    faults: list[Fault] = []
    return listed_folders(path, path.parent, in_table(path, columns, faults), faults, [])


TABLE = Layout(
    recognises=lambda place, columns: isinstance(place, Path) and is_table(place) and not lists_masks(place, columns),
    scan=scan,
    open=open_splits,
    open_whole=open_whole,
    hint="a CSV or JSON lines with a column of paths and one of labels, and one of splits if you like",
    rank=1,
)
