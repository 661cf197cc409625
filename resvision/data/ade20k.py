"""ADE20K scene parsing, 150 classes (Zhou et al. 2017, https://doi.org/10.1109/CVPR.2017.544).

ADEChallengeData2016 as it is published: images/{training,validation} with annotations/ likewise, in which 0 is void and
1..150 are the classes; objectInfo150.txt, where it is there, names them.
"""

import re
from pathlib import Path

from resvision.core.files import SMALL, read_whole
from resvision.data import class_list, mask_folder
from resvision.data.faults import Fault, fault
from resvision.data.mask_folder import MaskScan
from resvision.data.mask_sets import MaskSet

NUM_CLASSES = 150
NAMES = "objectInfo150.txt"
CROP_PX = 512
_ROW = re.compile(r"\s*\d+\s+[\d.]+\s+\d+\s+\d+\s+\d+\s+(.+)")  # index, share, training, validation, stuff, name


def read(folder: Path) -> MaskScan:
    """The set's folders training and validation."""
    faults: list[Fault] = []
    classes = class_names(folder / NAMES, faults)
    readers = []
    for split in ("training", "validation"):
        folders = folder / "images" / split, folder / "annotations" / split
        readers.append(
            mask_folder.folder_reader(
                "ade20k",
                "train" if split == "training" else "val",
                *folders,
                mask_folder.partners(*folders, faults),
                classes=classes,
                labels=class_list.labels_of(range(1, NUM_CLASSES + 1), [0]),
                crop_px=CROP_PX,
            )
        )
    return mask_folder.scanned(folder, *readers, rule="from the folders training and validation", faults=faults)


def class_names(table: Path, faults: list[Fault]) -> tuple[str, ...]:
    """The first name of each class, in the last column of the set's table; `class 1` and so on where it has none."""
    numbered = tuple(f"class {number}" for number in range(1, NUM_CLASSES + 1))
    if not table.is_file():
        return numbered
    try:
        text = read_whole(table, SMALL).decode(errors="replace")
    except OSError as error:
        faults.append(fault(table, f"cannot be read ({error.strerror})"))
        return numbered
    rows = map(_ROW.match, text.splitlines())
    names = [row[1].replace(";", ",").strip() for row in rows if row]
    if len(names) != NUM_CLASSES or not all(map(str.isprintable, names)):
        faults.append(fault(table, f"{len(names)} rows of classes where {NUM_CLASSES} are due"))
        return numbered
    first = [name.split(",")[0] for name in names]
    return tuple(short if first.count(short) == 1 else name for short, name in zip(first, names, strict=True))


ADE20K = MaskSet(name="ade20k", folders=("ADEChallengeData2016", ""), marker="annotations/training", read=read)
open_splits, scan, find = ADE20K.open_splits, ADE20K.scan, ADE20K.find
