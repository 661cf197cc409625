"""A folder of images as a data set: a folder for each class, named after it.

A table in its place, or `split.csv` in it, lists images (`data.listed_classes`). Without one,
either train/<class>/* with val/<class>/* (or valid/, validation/, test/; where test/ is beside one of the others, that
one judges on the way and test/ the result), or <class>/* alone, from which a fifth of each class is split off. Litter
(`data.litter`) is left out and counted; any other file that is not an image of an allowed format is a fault. The
structure, the names and the header of every image are checked whenever a folder is opened, and one error sums up all
faults; `resvision data check` decodes the images as well and lists each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from resvision.core.errors import DataError, printable
from resvision.core.samples import Reader
from resvision.data import cache, listed_classes
from resvision.data.class_folders import (
    Files,
    class_faults,
    class_files,
    holds_a_folder,
    holds_folders,
    split_off,
    unknown_classes,
    without_images,
)
from resvision.data.deep_images import sampled_note
from resvision.data.faults import Fault, all_entries, fault, summary
from resvision.data.folder_reader import PHOTOS, FolderReader, header_facts
from resvision.data.layouts import Layout, Scan, Whole
from resvision.data.listed_images import has_split_table
from resvision.data.litter import note_of
from resvision.data.packed_names import PackedNames
from resvision.data.places import TABLES, Place
from resvision.data.split_folders import beside, has_split_folders, split_folders, without_partner
from resvision.data.splits import Splits


@dataclass
class ClassFolders(Scan):
    """A folder's splits and their faults, by structure and names; no file was opened."""

    folder: Place
    train: FolderReader
    test: FolderReader
    validation: FolderReader | None
    split_rule: str
    faults: list[Fault]
    notes: list[str]

    @property
    def readers(self) -> list[FolderReader]:
        """The readers of training, test, and validation where there is one."""
        return [self.train, self.test, *([self.validation] if self.validation else [])]

    def fingerprint(self, *strays: Reader[Any]) -> str:
        """The fingerprint of all files."""
        return cache.fingerprint(*self.readers, *(stray for stray in strays if isinstance(stray, FolderReader)))

    def is_deep(self, reader: Reader[Any], index: int) -> bool:
        """Whether an image has 16 bits a channel."""
        assert isinstance(reader, FolderReader), "the readers of this scan"
        return reader.header(index).deep

    def strays(self) -> list[Reader[Any]]:
        """The images of classes that training does not have, which are in no split."""
        return [
            stray
            for reader in self.readers[1:]
            if reader.folder != self.train.folder
            for stray in _of_other_classes(reader.folder, self.train.classes)
        ]


def open_splits(folder: Place, columns: Sequence[str] = (), *, name: str | None = None) -> Splits:
    """Open the folder's splits. Raises one DataError for all faults of structure, names and headers.

    A set that is opened by its `name` has the published splits alone, training and test.
    """
    return opened(scan(folder, columns, name=name), name)


def opened(class_folders: ClassFolders, name: str | None = None) -> Splits:
    """Look at the headers of a scan and give its splits views. Raises one DataError for all faults."""
    folder = class_folders.folder
    facts, unreadable = header_facts(*class_folders.readers)
    if faults := class_folders.faults + unreadable:
        raise DataError(summary(folder, faults, name=name))
    for reader in class_folders.readers:
        reader.view = facts.view()
    class_folders.notes += sampled_note(facts.dark)
    return class_folders.splits


def open_labelled(folder: Place, columns: Sequence[str] = ()) -> Whole | None:
    """Open all images of a folder of class folders as one split; None where the folder has splits of its own.

    Raises one DataError for all faults, as `open_splits` does.
    """
    if has_split_folders(folder) or has_split_table(folder):
        return None
    faults: list[Fault] = []
    litter: list[str] = []
    files = class_files(folder, faults, litter)
    if not files or not any(files.values()):
        faults.append(fault(folder, "no class folders with images"))
    return opened_whole(reader_of(str(folder), "all", folder, tuple(files), _below(files)), folder, faults, litter)


def opened_whole(reader: FolderReader, shown: Place, faults: list[Fault], litter: list[str]) -> Whole:
    """Look at the headers of all images of a set and give them a view. Raises one DataError for all faults."""
    facts, unreadable = header_facts(reader)
    if faults or unreadable:
        raise DataError(summary(shown, faults + unreadable))
    reader.view = facts.view()
    return Whole(reader, tuple(note_of(litter)))


def listed_folders(
    shown: Place, home: Place, listed: listed_classes.ListedClasses, faults: list[Fault], litter: list[str]
) -> ClassFolders:
    """The scan of images that a table lists below `home`."""
    readers = [reader_of(str(home), split, home, listed.classes, files) for split, files in listed.parts.items()]
    return _class_folders(shown, readers, listed.rule, faults, litter)


def scan(folder: Place, columns: Sequence[str] = (), *, name: str | None = None) -> ClassFolders:
    """The folder's splits and the faults of its structure and names."""
    faults: list[Fault] = []
    litter: list[str] = []
    if name is None and has_split_table(folder):
        listed = listed_classes.in_folder(folder, columns, faults, litter)
        return listed_folders(folder, folder, listed, faults, litter)
    parts = split_folders(folder, faults, is_labelled=None if name else holds_a_folder)
    notes: list[str] = []
    if parts:
        notes = [] if name else beside(folder, parts, litter)
        folders = {part: folder / part for part in parts.names}
        train, *others = (class_files(place, faults, litter) for place in folders.values())
        files = [train, *others]
        faults += class_faults(train, folders["train"], least=1)
        rule = parts.rule
        for split, judged in zip(parts.names[1:], others, strict=True):
            faults += unknown_classes(train, judged, folders[split])
            if not any(judged.values()):
                faults.append(fault(folders[split], "no images"))
            rule += without_images(train, judged, split)
    elif holds_folders(folder / "train"):
        faults.append(fault(folder, without_partner(folder / "train")))
        folders, files, rule = {"train": folder, "val": folder}, [{}, {}], ""
    else:
        folders = {"train": folder, "val": folder}
        whole = class_files(folder, faults, litter)
        faults += class_faults(whole, folder, least=2)
        faults[:0] = _unread_table(folder) if faults else []
        files = [*split_off(whole)]
        rule = "a fifth of each class is val, after a shuffle with seed 0"
    classes = tuple(files[0])
    readers = [
        reader_of(name or str(folder), split, place, classes, _below(part))
        for (split, place), part in zip(folders.items(), files, strict=True)
    ]
    scanned = _class_folders(folder, readers, rule, faults, litter)
    scanned.notes += notes
    return scanned


def _unread_table(folder: Place) -> list[Fault]:
    """The fault of a table that lies beside images whose folders are no classes, and may list them."""
    endings = TABLES - {".txt"}  # which is mostly notes
    tables = [name for name, is_folder in all_entries(folder, []) if not is_folder and PurePath(name).suffix in endings]
    if not tables or not isinstance(folder, Path):
        return []
    what = f"a table; if it lists the images, name it as the data set: `--data {folder / tables[0]}`"
    return [fault(folder / tables[0], printable(what))]


def _class_folders(
    shown: Place, readers: Sequence[FolderReader], rule: str, faults: list[Fault], litter: list[str]
) -> ClassFolders:
    """The scan of the readers of training, test, and validation where there is one."""
    train, test, *validation = readers
    counts = " / ".join(f"{len(reader):,} {reader.split}" for reader in (train, *validation, test))
    judge = validation[0] if validation else None
    return ClassFolders(shown, train, test, judge, f"{counts} images, {rule}", faults, note_of(litter))


def _below(files: Files) -> Files:
    """The files of classes by their paths, each in the folder of its class."""
    return {name: [f"{name}/{file}" for file in names] for name, names in files.items()}


def _of_other_classes(folder: Place, known: tuple[str, ...]) -> list[FolderReader]:
    """Readers of the images in class folders that are not among the known ones."""
    strays: list[FolderReader] = []
    all_classes = scan(folder)
    for reader in (all_classes.train, all_classes.test):
        indices = [i for i in range(len(reader)) if reader.classes[reader.target(i)] not in known]
        names = PackedNames(reader.names[i] for i in indices)
        strays.append(replace(reader, names=names, targets=reader.targets[indices]))
    return [reader for reader in strays if len(reader)]


def reader_of(name: str, split: str, folder: Place, classes: tuple[str, ...], files: Files) -> FolderReader:
    """The reader of the images of a split, of each class in order; `files` are their paths below the folder."""
    return FolderReader(
        name=name,
        split=split,
        classes=classes,
        view=PHOTOS,
        folder=folder,
        names=PackedNames(file for class_name in classes for file in files.get(class_name, [])),
        targets=np.repeat(np.arange(len(classes)), [len(files.get(class_name, [])) for class_name in classes]),
    )


LAYOUT = Layout(
    recognises=lambda place, columns: False,  # any folder that nothing else recognises
    scan=scan,
    open=open_splits,
    open_whole=open_labelled,
    hint="train/<class>/* with val/<class>/* or test/<class>/* or both, or <class>/* alone",
)
