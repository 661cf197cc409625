"""Folders of images with boxes in COCO's JSON (`data.coco_columns`), one file for each split.

annotations/instances_{train,val}2017.json with train2017/ and val2017/ as they are published; <split>/ with
_annotations.coco.json beside its images, as Roboflow writes it; or one file beside images, from which a fifth is split
off, named itself or by its folder. Other files and folders of such places are told by the splits in their names.
Classes are the categories in the order of their ids, without those that are nothing but the kind of others.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import PurePath

import numpy as np

from resvision.core.errors import DataError, printable
from resvision.core.files import open_regular
from resvision.core.plurals import counted
from resvision.data.archives import ArchivePlace
from resvision.data.box_parts import BoxPart
from resvision.data.box_scan import Found, layout
from resvision.data.coco_columns import CocoFile, CocoPlaces, place_of, read_coco
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import all_entries, fault
from resvision.data.litter import is_litter
from resvision.data.packed_names import PackedNames
from resvision.data.places import Place
from resvision.data.split_folders import SPLIT_WORDS, TEST, TRAIN, split_named
from resvision.data.table_files import clean, full_path, is_file, leads_out

ANNOTATIONS = "annotations"
ROBOFLOW = "_annotations.coco.json"
INSTANCES = "instances_"
_HEAD_BYTES = 2**12
_KEYS = b'"images"', b'"annotations"', b'"categories"'
_SAMPLED = 3
_MOST_FILES = 100
"""Files that are looked at to recognise a folder."""


def recognises(place: Place) -> bool:
    """Whether a place is, or a folder holds, annotations of COCO's form."""
    return bool(_files(place))


def has_splits(place: Place) -> bool:
    """Whether a folder holds files of two splits."""
    return len(_files(place)) > 1


def find(place: Place, ledger: Ledger, name: str | None = None) -> Found:
    """The parts of a folder, or of the file that a person names; `name` is that of a named set."""
    found = Found(folder=place, shown=name or str(place), ledger=ledger)
    files = _files(place)
    if not files:
        ledger.faults.append(
            fault(place, f"no annotations of COCO's form, such as {ANNOTATIONS}/{INSTANCES}train.json")
        )
        return found
    contents = {split: read_coco(path, ledger) for split, path in files.items()}
    for split in _unlabelled(contents):
        del contents[split]
        found.notes.append(f"{files[split].name} is left untouched, since it has no annotations")
    for split, content in contents.items():
        found.parts.append(_part(split, files[split], content, place, found))
    if len(contents) > 1:
        found.rule = f"by the files {' and '.join(_below(files[split], place) for split in contents)}"
    # The names of a file that cannot be read are unknown, which is no fault of the others
    named = {split: content for split, content in contents.items() if not content.unread} or contents
    found.classes, found.listed = _classes(named, found), files[next(iter(named))]
    return found


# Files of annotations ------------------------------------------------------------------------------------------------


def _files(place: Place) -> dict[str, Place]:
    """The file of each split, training first; one alone, under "train", where a set has no splits."""
    if not place.is_dir():
        return {TRAIN: place} if place.name.endswith(".json") and _is_coco(place) else {}
    home = [place / name for name in _json_names(place)]
    if (place / ANNOTATIONS).is_dir():
        home += [place / ANNOTATIONS / name for name in _json_names(place / ANNOTATIONS)]
    if instances := [path for path in home if path.name.startswith(INSTANCES)]:
        home = instances  # beside captions and key points of the same images
    in_folders = [
        place / folder / name
        for folder in SPLIT_WORDS
        if (place / folder).is_dir()
        for name in _json_names(place / folder)
        if name == ROBOFLOW or not home
    ]
    files: dict[str, Place] = {}
    for path in (*in_folders, *home):
        split = split_named(path.name) or (split_named(_parent_name(path)) if path in in_folders else None)
        if split is not None and split not in files and _is_coco(path):
            files[split] = path
    if TRAIN not in files:
        alone = [path for path in home if _is_coco(path)]
        return {TRAIN: alone[0]} if len(alone) == 1 else {}
    return {split: files[split] for split in (TRAIN, *_judges(files))}


def _judges(files: dict[str, Place]) -> list[str]:
    """The splits that judge, the result first: where val and test are there, val judges on the way."""
    return [split for split in (TEST, "val") if split in files]


def _json_names(folder: Place) -> list[str]:
    names = [name for name, is_folder in all_entries(folder, []) if not is_folder]
    return [name for name in names if name.casefold().endswith(".json") and not name.startswith(".")][:_MOST_FILES]


def _parent_name(path: Place) -> str:
    return PurePath(str(path)).parent.name


def _is_coco(path: Place) -> bool:
    """Whether a file begins as annotations of COCO's form do."""
    if path.name == ROBOFLOW or path.name.startswith(INSTANCES):
        return True
    try:
        if isinstance(path, ArchivePlace):
            head = path.read_bytes()[:_HEAD_BYTES]
        else:
            with open_regular(path) as file:
                head = file.read(_HEAD_BYTES)
    except (OSError, DataError):
        return False
    return any(key in head for key in _KEYS)


def _unlabelled(contents: dict[str, CocoFile]) -> list[str]:
    """The test images, where they have no annotations and others judge."""
    bare = TEST in contents and "val" in contents and not len(contents[TEST].columns.labels)
    return [TEST] if bare else []


# Parts of a set ------------------------------------------------------------------------------------------------------


def _part(split: str, path: Place, content: CocoFile, place: Place, found: Found) -> BoxPart:
    """The part of the images of a file that are there."""
    folder = _image_folder(split, path, content, place)
    here = {name for name, is_folder in all_entries(folder, []) if not is_folder} if folder.is_dir() else set()
    kept = []
    for index, image in enumerate(content.images):
        cleaned = clean(image.file_name, below=full_path(folder))
        name = image.file_name = image.file_name if image.file_name in here else cleaned
        if leads_out(name) or "\0" in name:
            found.ledger.faults.append(fault(place_of(path, image.id), f"{printable(name)} lies outside of the folder"))
        elif name in here or ("/" in name and is_file(folder, name)):
            kept.append(index)
        else:
            what = f"no image {printable(name)} in {folder}" if name else "an image without a file_name"
            found.ledger.add("missing-images", place_of(path, image.id), what)
    others = here - {image.file_name for image in content.images}
    unnamed = sum(not is_litter(name, is_folder=False) for name in others)
    if unnamed and not content.unread:
        found.notes.append(f"left out {counted(unnamed, 'file')} in {folder} that {path.name} does not name")
    if content.polygons:
        found.notes.append(f"the extent of polygons stands for {counted(content.polygons, 'box')} of {path.name}")
    indices = np.array(kept, dtype=np.int64)
    images = [content.images[index] for index in kept]
    return BoxPart(
        split=split,
        images=folder,
        image_names=PackedNames(image.file_name for image in images),
        sources=CocoPlaces(path, np.array([image.id for image in images], dtype=np.int64)),
        columns=content.columns.of_images(indices),
        names=tuple(category.name.strip() for category in content.categories),
        ids=tuple(category.id for category in content.categories),
        stated=np.array([(image.width, image.height) for image in images], dtype=np.int64).reshape(-1, 2),
        shown=_shown,
    )


def _image_folder(split: str, path: Place, content: CocoFile, place: Place) -> Place:
    """The folder that holds the first images of a file: the first of the usual ones, or else that of the file."""
    folders = [*_folders_of(split, path, place)]
    for folder in folders:
        names = (clean(image.file_name, below=full_path(folder)) for image in content.images)
        if any(is_file(folder, name) for name in islice((name for name in names if not leads_out(name)), _SAMPLED)):
            return folder
    return folders[0]


def _folders_of(split: str, path: Place, place: Place) -> Iterator[Place]:
    """Yield the folders where images of a file may lie."""
    home = place if place.is_dir() else _parent(place)
    words = [
        PurePath(path.name).stem.removeprefix(INSTANCES),
        *(word for word in SPLIT_WORDS if SPLIT_WORDS[word] == split),
    ]
    own = _parent(path)
    yield own
    for base in dict.fromkeys((home, _parent(home))) if not place.is_dir() else (home,):
        for parts in ((), ("images",), ("JPEGImages",)):
            for word in (*words, ""):
                folder = base
                for part in (*parts, *([word] if word else [])):
                    folder = folder / part
                yield folder


def _parent(place: Place) -> Place:
    return (
        ArchivePlace(place.archive, place.inside.rpartition("/")[0])
        if isinstance(place, ArchivePlace)
        else place.parent
    )


def _classes(contents: dict[str, CocoFile], found: Found) -> tuple[str, ...]:
    """The classes: categories of training, without those that have no box anywhere and are the kind of others."""
    files = [*contents.values()]
    kinds = {str(category.supercategory) for content in files for category in content.categories}
    used = {
        content.categories[label].name for content in files for label in np.unique(content.columns.labels) if label >= 0
    }
    names = [category.name for category in files[0].categories]
    bare = [name for name in names if name in kinds and name not in used] if used else []
    for name in bare:
        found.notes.append(f"the category {printable(name)} has no box, is the kind of others, and is no class")
    return tuple(name.strip() for name in names if name not in bare)


def _below(path: Place, place: Place) -> str:
    return str(path).removeprefix(f"{place}/")


def _shown(box: Sequence[float]) -> str:
    x1, y1, x2, y2 = box
    return f"bbox {x1:g}, {y1:g}, {x2 - x1:g}, {y2 - y1:g}"


LAYOUT = layout(
    find,
    recognises=recognises,
    has_splits=has_splits,
    hint="images with COCO's JSON: annotations/instances_{train,val}.json with their folders, or a JSON beside images",
)
