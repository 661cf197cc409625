"""Folders of images and of YOLO's labels: found by their names, or by the description in `data.yaml`."""

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from resvision.core.errors import DataError, printable
from resvision.data.archives import ArchivePlace
from resvision.data.class_list import CLASS_LIST
from resvision.data.data_yaml import Description, read_description
from resvision.data.fault_kinds import Ledger
from resvision.data.faults import all_entries, fault, fault_in
from resvision.data.litter import is_litter
from resvision.data.places import Place, exists
from resvision.data.split_folders import SPLIT_WORDS, TEST, TRAIN, split_named
from resvision.data.table_files import clean, leads_out

IMAGES, LABELS = "images", "labels"
ENDING = ".txt"
DESCRIPTIONS = "data.yaml", "dataset.yaml", "data.yml", "dataset.yml"


class Part(NamedTuple):
    """The images of a split: folders, or texts that list images, by paths below a base, with / between their parts."""

    base: Place
    paths: tuple[str, ...]


class Home(NamedTuple):
    """A set by its folder.

    folder       that everything lies in, unless a person named its description
    description  the file, and its content; None without one
    parts        those of each split, training first
    """

    folder: Place
    description: tuple[Place, Description] | None
    parts: dict[str, Part]


def recognises(place: Place) -> bool:
    """Whether a place describes, or a folder holds, images with YOLO's labels."""
    if not place.is_dir():
        return place.name.endswith((".yaml", ".yml"))
    folders = [place, *(place / word for word in SPLIT_WORDS)]
    return (
        _description_in(place) is not None
        or any((folder / IMAGES).is_dir() and _holds_texts(folder / LABELS) for folder in folders)
        or ((place / CLASS_LIST).is_file() and _has_pairs(place))
    )


def has_splits(place: Place) -> bool:
    """Whether a place has images of two splits."""
    return len(home_of(place, Ledger()).parts) > 1


def home_of(place: Place, ledger: Ledger) -> Home:
    """The folders of a set, by its description where it has one; what is wrong with that adds to the ledger."""
    path = _description_in(place) if place.is_dir() else place
    folder = place if path is not place or isinstance(place, ArchivePlace) else place.parent
    if path is None:
        return Home(folder, None, _usual_parts(folder))
    try:
        description = read_description(path)
    except DataError as error:
        ledger.faults.append(fault_in(path, error))
        # A person who names a file means what it says, not what lies around it
        return Home(folder, None, {} if path is place else _usual_parts(folder))
    parts: dict[str, Part] = {}
    for split in (TRAIN, TEST, "val"):
        if paths := description.folders.get(split, ()):
            part = _resolved(folder, description.root, paths, outside=path is place)
            if isinstance(part, Part):
                parts[split] = part
            elif split != TEST:
                ledger.faults.append(fault(path, f"{split}: no {printable(part)} in {folder}"))
    if TRAIN not in description.folders:
        parts = _usual_parts(folder)
    return Home(folder, (path, description), _labelled(parts))


def _description_in(folder: Place) -> Place | None:
    """The description in a folder; of several, the one of the usual name."""
    names = {name for name, is_folder in all_entries(folder, []) if not is_folder}
    return next((folder / name for name in DESCRIPTIONS if name in names), None)


def _resolved(folder: Place, root: str, paths: Sequence[str], *, outside: bool) -> Part | str:
    """The part that a description names; the first path that is not there, where one is not.

    A path is one below `root`, or else below the folder of the description; Roboflow's begin with a needless `../`.
    outside  whether a path may lead out of the folder, as it may where a person has named the description
    """
    here = [_below_folder(folder, root, path, outside=outside) for path in paths]
    missing = next((path for path, below in zip(paths, here, strict=True) if below is None), None)
    if missing is not None:
        return missing
    below = [path for path in here if path is not None]
    if not any(map(leads_out, below)) or not isinstance(folder, Path):
        return Part(folder, tuple(below))
    full = [os.path.normpath(folder.absolute() / path) for path in below]
    return Part(Path("/"), tuple(path.removeprefix("/") for path in full))


def _below_folder(folder: Place, root: str, path: str, *, outside: bool) -> str | None:
    """The path of a folder or a list below the folder, in full where it lies elsewhere; None where it is not there."""
    stripped = path.replace("\\", "/")
    while stripped.startswith("../"):
        stripped = stripped[3:]
    for candidate in (clean(f"{root}/{path}" if root else path), clean(path), clean(stripped)):
        if "\0" in candidate:
            return None
        inside = candidate != ".." and not leads_out(candidate)
        if inside and (candidate == "." or exists(folder / candidate)):
            return "" if candidate == "." else candidate
        if not inside and outside and isinstance(folder, Path) and exists(folder / candidate):
            return os.path.normpath(folder.absolute() / candidate)
    return None


def _usual_parts(folder: Place) -> dict[str, Part]:
    """The parts of a folder without a description."""
    parts: dict[str, Part] = {}
    for home, inside in ((folder / IMAGES, ""), (folder, f"/{IMAGES}")):
        names = [name for name, is_folder in (all_entries(home, []) if home.is_dir() else []) if is_folder]
        for name in names:
            path = f"{name}{inside}" if inside else f"{IMAGES}/{name}"
            split = split_named(name)
            if split is not None and split not in parts and (folder / path).is_dir():
                parts[split] = Part(folder, (path,))
    if TRAIN not in parts:
        return {TRAIN: Part(folder, (IMAGES if (folder / IMAGES).is_dir() else "",))}
    return _labelled({split: parts[split] for split in (TRAIN, TEST, "val") if split in parts})


def _labelled(parts: dict[str, Part]) -> dict[str, Part]:
    """The parts without those test images that have no labels, where others judge."""
    bare = (
        TEST in parts
        and "val" in parts
        and not any(_holds_texts(parts[TEST].base / labels_of(path)) for path in parts[TEST].paths)
    )
    return {split: part for split, part in parts.items() if not (bare and split == TEST)}


def labels_of(path: str) -> str:
    """The path of labels by that of images: the last folder `images` in it becomes `labels`."""
    parts = path.split("/")
    for position in range(len(parts) - 1, -1, -1):
        if parts[position] == IMAGES:
            return "/".join([*parts[:position], LABELS, *parts[position + 1 :]])
    return path


def _holds_texts(folder: Place, *, depth: int = 1) -> bool:
    """Whether a folder, or one in it, holds texts."""
    entries = all_entries(folder, []) if folder.is_dir() else []
    if any(name.endswith(ENDING) and not name.startswith(".") for name, is_folder in entries if not is_folder):
        return True
    return bool(depth) and any(_holds_texts(folder / name, depth=depth - 1) for name, is_folder in entries if is_folder)


def _has_pairs(folder: Place) -> bool:
    """Whether a text lies beside an image of the same name."""
    names = [name for name, is_folder in all_entries(folder, []) if not is_folder]
    texts = {name.removesuffix(ENDING) for name in names if name.endswith(ENDING)}
    return any(PurePosixPath(name).stem in texts for name in names if not is_litter(name, is_folder=False))
