"""Classes of images that a table lists: `labels.csv` named as a data set, and `split.csv` in a folder of classes."""

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from resvision.core.class_names import is_class_name
from resvision.data.class_folders import Files, split_off
from resvision.data.faults import Fault, fault
from resvision.data.listed_images import SPLIT_TABLE, VAL, Listed, ListedImage, Parts, not_listed, parted, read_listed
from resvision.data.places import Place
from resvision.data.split_folders import TRAIN

FIFTH = "a fifth of each class is val, after a shuffle with seed 0"


class ListedClasses(NamedTuple):
    """The classes of a table, the paths of each class in each split, and a sentence on how the images were parted."""

    classes: tuple[str, ...]
    parts: dict[str, Files]
    rule: str


NONE = ListedClasses((), {TRAIN: {}, VAL: {}}, "")


def in_table(path: Path, columns: Sequence[str], faults: list[Fault], *, parted_here: bool = True) -> ListedClasses:
    """The classes of the images that a table lists, beside it or below.

    parted_here  split a fifth off where the table has no splits; all images are otherwise one split
    """
    listed = read_listed(path, [path.parent], columns, faults)
    if listed is None:
        return NONE
    if listed.roles.label is None:
        faults.append(fault(path, "no column of labels; say which it is, such as `--columns label=COLUMN`"))
        return NONE
    labels = {image.path: image.label for image in listed.images}
    return _classes(listed, labels, faults, parted_here=parted_here)


def in_folder(folder: Place, columns: Sequence[str], faults: list[Fault], litter: list[str]) -> ListedClasses:
    """The classes of the images in a folder whose `split.csv` says the split of each, and may say its class."""
    listed = read_listed(folder / SPLIT_TABLE, [folder], columns, faults, outside=False)
    if listed is None:
        return NONE
    if listed.roles.split is None:
        faults.append(fault(folder / SPLIT_TABLE, "no column of splits, whose cells are train, val or test"))
        return NONE
    faults += not_listed(listed, folder, litter)
    folders = {image.path: PurePath(image.path).parent.name for image in listed.images}
    if listed.roles.label is None:
        return _classes(listed, folders, faults)
    stated = {image.label for image in listed.images}
    for image in listed.images:
        parent = folders[image.path]
        if image.label and parent in stated and parent != image.label:
            what = f"the class {image.label!r:.60}, but {image.path} lies in the folder {parent}"
            faults.append(fault(listed.where(image), f"{what}; move it, or correct the line"))
    return _classes(listed, {image.path: image.label for image in listed.images}, faults)


def _classes(
    listed: Listed, label_of: dict[str, str], faults: list[Fault], *, parted_here: bool = True
) -> ListedClasses:
    """Number the classes and part the images; a fifth of each class is split off where the table has no splits."""
    whole = listed.roles.split is None
    parts = Parts({TRAIN: listed.images}, FIFTH) if whole else parted(listed, faults)
    for image in (image for part in parts.images.values() for image in part):
        label = label_of[image.path]
        if not is_class_name(label):
            what = f"the label {label!r:.60} cannot name a class" if label else f"no label of {image.path}"
            faults.append(fault(listed.where(image), what))
    used = {label_of[image.path] for part in parts.images.values() for image in part}
    classes = tuple(sorted(used - {""}, key=_order))
    if len(classes) < 2:
        text = f"one class only, {classes[0]}" if classes else "no class"
        faults.append(fault(listed.table.path, f"{text}; two are needed"))
    files = {split: _files(part, label_of, classes) for split, part in parts.images.items()}
    if whole and not parted_here:
        return ListedClasses(classes, files, "")
    if whole:
        train, test = split_off({name: paths for name, paths in files[TRAIN].items() if paths})
        files = {TRAIN: train, VAL: test}
    what = "has one image only; two are needed to split one off" if whole else "has no training image"
    bare = [name for name in classes if not files[TRAIN].get(name)]
    faults += [fault(listed.table.path, f"the class {name} {what}") for name in bare]
    return ListedClasses(classes, files, parts.rule)


def _files(images: Sequence[ListedImage], label_of: dict[str, str], classes: Sequence[str]) -> Files:
    """The paths of each class, both in order."""
    files: Files = {name: [] for name in classes}
    for image in images:
        if label_of[image.path]:
            files[label_of[image.path]].append(image.path)
    return files


def _order(name: str) -> tuple[int, int, str]:
    """Numbers by their values, before words."""
    return (0, int(name), name) if name.isascii() and name.isdigit() and len(name) < 10 else (1, 0, name)
