"""Pascal VOC 2007 and 2012, photographs with boxes (Everingham et al. 2010, 10.1007/s11263-009-0275-4).

VOCdevkit/{VOC2007,VOC2012} as they are published. With the test part of 2007, training is trainval of the years that
are there, and that test part judges the result, which papers call 07+12; without it, training is train, and val judges.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from resvision.data.box_columns import BoxColumns
from resvision.data.box_parts import BoxPart
from resvision.data.box_reader import LabelFiles
from resvision.data.box_scan import Found
from resvision.data.box_sets import BoxSet
from resvision.data.fault_kinds import Ledger
from resvision.data.packed_names import PackedNames
from resvision.data.places import Place
from resvision.data.split_folders import TEST, TRAIN
from resvision.data.voc_boxes import Folders, listed_part
from resvision.data.voc_seg import CLASSES as WITH_BACKGROUND

CLASSES = WITH_BACKGROUND[1:]
YEARS = "VOC2007", "VOC2012"


def parts(devkit: Place, ledger: Ledger, name: str | None = None) -> Found:
    """The parts of the years that are there."""
    years = [year for year in YEARS if (devkit / year / "Annotations").is_dir()]
    found = Found(folder=devkit, shown=name or str(devkit), classes=CLASSES, ledger=ledger)
    if _list(devkit / YEARS[0], TEST).is_file():
        train, test, test_years = "trainval", TEST, [YEARS[0]]
    else:
        train, test, test_years = TRAIN, "val", years
    found.parts = [_joined(devkit, TRAIN, train, years, found), _joined(devkit, test, test, test_years, found)]
    found.rule = f"{train} of {' and '.join(years)}, {test} of {' and '.join(test_years)}"
    return found


def _list(folder: Place, listed: str) -> Place:
    return folder / "ImageSets" / "Main" / f"{listed}.txt"


def _joined(devkit: Place, split: str, listed: str, years: Sequence[str], found: Found) -> BoxPart:
    """The images that the list of that name has in each year, as one part whose names begin with the year."""
    folders = [Folders(devkit / year / "JPEGImages", devkit / year / "Annotations") for year in years]
    yearly = [
        listed_part(split, _list(devkit / year, listed), both, found) for year, both in zip(years, folders, strict=True)
    ]
    names = tuple(dict.fromkeys(name for part in yearly for name in part.names))
    return replace(
        yearly[0],
        images=devkit,
        image_names=_below("JPEGImages", years, [part.image_names for part in yearly]),
        sources=LabelFiles(devkit, _below("Annotations", years, [_annotations(part) for part in yearly])),
        columns=BoxColumns.joined([_renumbered(part, names) for part in yearly]),
        names=names,
        stated=np.concatenate([part.stated for part in yearly]),
    )


def _annotations(part: BoxPart) -> PackedNames:
    assert isinstance(part.sources, LabelFiles), "a file for each image"
    return part.sources.names


def _below(folder: str, years: Sequence[str], names: Sequence[PackedNames]) -> PackedNames:
    """The names of all years, below the devkit."""
    return PackedNames(
        f"{year}/{folder}/{of_year[index]}"
        for year, of_year in zip(years, names, strict=True)
        for index in range(len(of_year))
    )


def _renumbered(part: BoxPart, names: Sequence[str]) -> BoxColumns:
    """The columns of a part whose labels index `names`."""
    labels = np.array([names.index(name) for name in part.names], dtype=np.int64)
    return replace(part.columns, labels=labels[part.columns.labels])


VOC = BoxSet(
    name="voc",
    folders=("VOCdevkit", ""),
    marker="VOC2007/Annotations",
    other_markers=("VOC2012/Annotations",),
    parts=parts,
    known=("degenerate-boxes", "outside-boxes", "duplicate-boxes"),
)
open_splits, scan, find = VOC.open_splits, VOC.scan, VOC.find
