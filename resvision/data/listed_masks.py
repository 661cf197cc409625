"""Label maps that a table lists beside images: a CSV with a column of images and one of masks named as a data set.

`classes.txt` beside the table names the classes, as in a folder of images and masks (`data.mask_folder`).
"""

from collections.abc import Sequence
from pathlib import Path

from resvision.core.draws import shuffled
from resvision.data.class_list import ClassList, listed_classes
from resvision.data.faults import Fault, fault
from resvision.data.layouts import Layout, Whole
from resvision.data.listed_images import VAL, ListedImage, lists_masks, parted, read_listed
from resvision.data.mask_folder import CROP_PX, facts_of, mask_reader, opened, with_list
from resvision.data.mask_pairs import MaskFolderReader, PairFolders
from resvision.data.mask_scan import MaskScan, scanned
from resvision.data.places import Place
from resvision.data.split_folders import TRAIN
from resvision.data.splits import Splits
from resvision.data.table_files import is_table


def scan(path: Place, columns: Sequence[str] = ()) -> MaskScan:
    """The splits of the pairs that a table lists, and the faults of its lines and its class list."""
    faults: list[Fault] = []
    classes = listed_classes(_home(path), faults)
    parts, rule, is_parted = _parts(path, columns, faults)
    readers = [_reader(path, split, part, classes) for split, part in parts.items()]
    return with_list(scanned(path, *readers, rule=rule, faults=faults, parted=is_parted), classes)


def open_splits(path: Place, columns: Sequence[str] = ()) -> Splits:
    """Open the splits of the pairs that a table lists. Raises one DataError for all faults."""
    return opened(scan(path, columns))


def open_whole(path: Place, columns: Sequence[str] = ()) -> Whole | None:
    """Open all pairs of a table as one split; None where the table has splits. Raises as `open_splits` does."""
    faults: list[Fault] = []
    classes = listed_classes(_home(path), faults)
    listed = read_listed(path, [_home(path)], columns, faults)
    if listed is not None and listed.roles.split is not None:
        return None
    reader, no_pairs = (_reader(path, "all", part, classes) for part in (listed.images if listed else [], []))
    scanned_table = with_list(scanned(path, reader, no_pairs, rule="", faults=faults, parted=False), classes)
    facts_of(scanned_table, absent_allowed=classes is not None)
    return Whole(reader)


def _home(path: Place) -> Path:
    assert isinstance(path, Path), "tables are files on disk"
    return path.parent


def _parts(path: Place, columns: Sequence[str], faults: list[Fault]) -> tuple[dict[str, list[ListedImage]], str, bool]:
    """The lines of each split, the sentence on how they were parted, and whether the table did that."""
    listed = read_listed(path, [_home(path)], columns, faults)
    if listed is None:
        return {TRAIN: [], VAL: []}, "", True
    if listed.roles.split is not None:
        return *parted(listed, faults), True
    images = listed.images
    if len(images) < 2:
        faults.append(fault(path, "one image only; two are needed to split one off"))
    held_out = set(shuffled(len(images), seed=0)[: max(1, len(images) // 5)].tolist())
    parts = {TRAIN: [image for number, image in enumerate(images) if number not in held_out]}
    parts[VAL] = [image for number, image in enumerate(images) if number in held_out]
    return parts, "a fifth is val, after a shuffle with seed 0", False


def _reader(path: Place, split: str, images: Sequence[ListedImage], classes: ClassList | None) -> MaskFolderReader:
    home = _home(path)
    pairs = PairFolders(home, home, [(image.path, image.mask) for image in images])
    return mask_reader(str(home), split, pairs, classes, CROP_PX)


TABLE = Layout(
    recognises=lambda place, columns: isinstance(place, Path) and is_table(place) and lists_masks(place, columns),
    scan=scan,
    open=open_splits,
    open_whole=open_whole,
    hint="a CSV or JSON lines with a column of images and one of their masks, and one of splits if you like",
)
