"""Folders of images with boxes as Pascal VOC has them: an XML file for each image (`data.voc_xml`).

JPEGImages/ and Annotations/ with the lists of splits in ImageSets/Main/{train,val,trainval,test}.txt; images/ and
annotations/ without lists, or the XML beside the images, there or in train/ with val/ or valid/ or test/. Where no list
and no folder parts the images, a fifth is split off. Classes are named by the objects of training, in the order of the
alphabet, or by `classes.txt`, a name a line. Where train and val are there, trainval is not read.
"""

from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

import numpy as np

from resvision.core.errors import DataError
from resvision.core.files import LIST
from resvision.core.plurals import counted
from resvision.data.box_columns import Gathering, Row
from resvision.data.box_parts import BoxPart, used_names
from resvision.data.box_reader import LabelFiles
from resvision.data.box_scan import Found, layout
from resvision.data.class_list import CLASS_LIST
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import all_entries, fault, fault_in, fault_of, listing
from resvision.data.mask_pairs import Names, by_stem
from resvision.data.named_classes import listed_names
from resvision.data.packed_names import PackedNames
from resvision.data.places import Place, read_text
from resvision.data.split_folders import TRAIN, beside, has_split_folders, split_folders
from resvision.data.voc_xml import VocObject, read_annotation

IMAGES = "JPEGImages", "images", "image", "imgs", "img"
ANNOTATIONS = "Annotations", "annotations", "labels", "xml", "xmls"
LISTS = "ImageSets", "Main"
ENDING = ".xml"


class Folders(NamedTuple):
    """The folder of images and that of annotations, which may be one."""

    images: Place
    annotations: Place


def recognises(folder: Place) -> bool:
    """Whether a folder, or the folder train in it, holds images and XML."""
    return any(_folders(part) is not None for part in (folder, folder / TRAIN))


def has_splits(folder: Place) -> bool:
    """Whether a folder has lists or folders of splits."""
    return has_split_folders(folder) or len(_lists(folder)) > 1


def find(folder: Place, ledger: Ledger, name: str | None = None) -> Found:
    """The parts of a folder; `name` is that of a named set."""
    listed = listed_names(folder, ledger)
    found = Found(folder=folder, shown=name or str(folder), ledger=ledger)
    if lists := _lists(folder):
        folders = _require_folders(folder, ledger)
        found.parts = [listed_part(split, path, folders, found) for split, path in lists.items()]
        found.rule = f"by the lists {' and '.join(path.name for path in lists.values())} of the set"
        _note_unlisted(found, folders)
    elif parts := split_folders(folder, ledger.faults, is_labelled=lambda place: _folders(place) is not None):
        found.parts = [_all_of(split, _require_folders(folder / split, ledger), found) for split in parts.names]
        found.rule = f"from the folders {' and '.join(parts.names)}"
        found.notes += beside(folder, parts, found.litter, known=(CLASS_LIST,))
    else:
        found.parts = [_all_of(TRAIN, _require_folders(folder, ledger), found)]
    if listed is not None:
        found.classes, found.listed = listed, folder / CLASS_LIST
    else:
        found.classes = used_names(found.parts[0])
    return found


# The parts of a set --------------------------------------------------------------------------------------------------


def _folders(folder: Place) -> Folders | None:
    """The folders of images and annotations in a folder, which may be itself; None where it holds no XML."""
    entries = all_entries(folder, []) if folder.is_dir() else []
    names = {name for name, is_folder in entries if is_folder}
    annotations = [folder / name for name in ANNOTATIONS if name in names]
    images = [folder / name for name in IMAGES if name in names]
    for place in annotations:
        if _holds_annotations(all_entries(place, [])):
            return Folders(images[0] if images else folder, place)
    if _holds_annotations(entries):
        return Folders(images[0] if images else folder, folder)
    return None


def _holds_annotations(entries: list[tuple[str, bool]]) -> bool:
    return any(name.casefold().endswith(ENDING) and not name.startswith(".") for name, is_folder in entries)


def _require_folders(folder: Place, ledger: Ledger) -> Folders:
    folders = _folders(folder)
    if folders is None:
        what = f"no boxes: neither {ENDING} files of VOC nor COCO's JSON nor YOLO's texts"
        ledger.faults.append(fault(folder, f"{what} with data.yaml or {CLASS_LIST}"))
    return folders or Folders(folder, folder)


def _lists(folder: Place) -> dict[str, Place]:
    """The lists of splits, training first; where val and test are there, val judges on the way, so it is the last."""
    home = folder / LISTS[0] / LISTS[1]
    names = {name for name, is_folder in (all_entries(home, []) if home.is_dir() else []) if not is_folder}
    paths = {split: home / f"{split}.txt" for split in ("train", "trainval", "test", "val") if f"{split}.txt" in names}
    if TRAIN in paths:
        paths.pop("trainval", None)
    elif "trainval" in paths:
        paths.pop("val", None)  # a part of it
        paths = {TRAIN: paths.pop("trainval"), **paths}
    return paths if TRAIN in paths else {}


def listed_part(split: str, path: Place, folders: Folders, found: Found) -> BoxPart:
    """The part of the images that a list names, without their endings."""
    try:
        lines = read_text(path, LIST).splitlines()
    except DataError as error:
        found.ledger.faults.append(fault_of(str(path), error))
        lines = []
    image_of, file_of = _stems(folders, found)
    stems: dict[str, int] = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        where = f"{path}:{number}"
        stem = line if line in image_of or line in file_of else PurePath(line).stem
        if not line:
            continue
        if (earlier := stems.setdefault(stem, number)) != number:
            found.ledger.faults.append(fault(where, f"{stem} is in line {earlier}, too"))
        elif stem not in image_of:
            found.ledger.add("missing-images", where, f"no image {line} in {folders.images}")
    return _part(split, folders, [stem for stem in stems if stem in image_of], image_of, file_of, found)


def _all_of(split: str, folders: Folders, found: Found) -> BoxPart:
    """The part of all images of a folder."""
    image_of, file_of = _stems(folders, found)
    for stem in sorted(file_of.keys() - image_of.keys()):
        where = folders.annotations / file_of[stem]
        found.ledger.add("missing-images", where, f"no image of that name in {folders.images}")
    return _part(split, folders, sorted(image_of), image_of, file_of, found)


def _stems(folders: Folders, found: Found) -> tuple[Names, Names]:
    """The names of images and of annotations by their stems."""
    litter: list[str] = []
    # Annotations beside images are litter by their names; what lies in folders there is another matter
    image_of = by_stem(folders.images, found.ledger.faults, litter)
    found.litter += [path for path in litter if not path.casefold().endswith(ENDING) and path not in found.litter]
    entries = all_entries(folders.annotations, found.ledger.faults)
    files = [name for name, is_folder in entries if not is_folder and _holds_annotations([(name, False)])]
    return image_of, {PurePath(name).stem: name for name in files}


def _part(split: str, folders: Folders, stems: list[str], image_of: Names, file_of: Names, found: Found) -> BoxPart:
    """The part of images by their stems; those without an annotation are faults, or background where allowed."""
    names: dict[str, int] = {}
    gathering, kept, stated = Gathering(), list[str](), list[tuple[int, int]]()
    for stem in stems:
        size, objects = (0, 0), list[VocObject]()
        if stem not in file_of:
            what = f"no {stem}{ENDING} in {folders.annotations}"
            found.ledger.add("unlabelled-images", folders.images / image_of[stem], what)
        else:
            path = folders.annotations / file_of[stem]
            try:
                size, objects = read_annotation(path)
            except DataError as error:
                found.ledger.faults.append(fault_in(path, error))
                continue
        gathering.add([Row(*o.box, names.setdefault(o.name, len(names)), o.line, o.difficult) for o in objects])
        kept.append(stem)
        stated.append(size)
    return BoxPart(
        split=split,
        images=folders.images,
        image_names=PackedNames(image_of[stem] for stem in kept),
        sources=LabelFiles(folders.annotations, PackedNames(file_of.get(s, f"{s}{ENDING}") for s in kept)),
        columns=gathering.columns(),
        names=tuple(names),
        ids=(),
        stated=np.array(stated, dtype=np.int64).reshape(-1, 2),
        shown=_shown,
    )


def _shown(box: Sequence[float]) -> str:
    x1, y1, x2, y2 = box
    return f"xmin {x1 + 1:g} ymin {y1 + 1:g} xmax {x2:g} ymax {y2:g}"


def _note_unlisted(found: Found, folders: Folders) -> None:
    """Note the images that no list names; parts lack those whose annotation is at fault."""
    if found.ledger.faults:
        return
    names = {part.image_names[index] for part in found.parts for index in range(len(part))}
    if unnamed := len({name for name, _ in listing(folders.images, [])} - names):
        found.notes.append(f"left out {counted(unnamed, 'file')} in {folders.images.name} that no list names")


LAYOUT = layout(
    find,
    recognises=recognises,
    has_splits=has_splits,
    hint="images with Pascal VOC's XML: Annotations and JPEGImages with lists in ImageSets/Main, or XML beside images",
)
