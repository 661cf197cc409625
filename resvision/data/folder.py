"""A folder of images as a data set: a folder for each class, named after it.

Either train/<class>/* with val/<class>/* (or valid/, validation/, test/; where test/ is beside one of the others, that
one judges on the way and test/ the result), or <class>/* alone, from which a fifth of each class is split off. Litter
(`data.litter`) is left out and counted; any other file that is not an image of an allowed format is a fault. The
structure, the names and the header of every image are checked whenever a folder is opened, and one error sums up all
faults; `resvision data check` decodes the images as well and lists each.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError
from resvision.core.images import Header, Pixels, decode, header
from resvision.core.samples import Reader, Sample
from resvision.core.views import CentreCrop, Stretch, View
from resvision.data import cache
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
from resvision.data.deep_images import sample_is_dark, sampled_note
from resvision.data.excerpts import excerpt
from resvision.data.faults import Fault, attempt, fault, summary
from resvision.data.layouts import Layout, Scan
from resvision.data.litter import counted
from resvision.data.packed_names import PackedNames
from resvision.data.places import Place, read_image
from resvision.data.split_folders import has_split_folders, split_folders, without_partner
from resvision.data.splits import Splits

PHOTOS = CentreCrop(
    channels=3,
    resize_px=256,
    crop_px=224,
    mean=(0.485, 0.456, 0.406),  # of ImageNet, as is std: what published weights were trained with
    std=(0.229, 0.224, 0.225),
)
SMALL_PX = 64
"""Square images of one size up to this are shown as they are, not enlarged to PHOTOS."""


@dataclass(kw_only=True)
class FolderReader(Reader[int]):
    """One split of a folder of class folders; an image is read when it is asked for.

    folder   holds one folder a class, under the class's name; on disk or inside a tar
    names    of the files, in order of class and name
    targets  class indices, (M,) int64
    """

    name: str
    split: str
    classes: tuple[str, ...]
    view: View
    crop_px: int | None = None
    folder: Place
    directories: tuple[str, ...]
    names: PackedNames
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Sample[int]:
        return Sample(self.image(index), self.target(index))

    def image(self, index: int) -> Pixels:
        """The decoded image."""
        return read_image(decode, self.path(index))

    def header(self, index: int) -> Header:
        """The header of the image file."""
        return read_image(header, self.path(index))

    def target(self, index: int) -> int:
        """The class index of sample `index`."""
        return int(self.targets[index])

    def source(self, index: int) -> str:
        """The path of the image."""
        return str(self.path(index))

    def stratum(self, index: int) -> int:
        """The class of sample `index`."""
        return self.target(index)

    def path(self, index: int) -> Place:
        """The path of the image."""
        return self.folder / self.directories[self.target(index)] / self.names[index]

    def content(self, index: int) -> bytes | None:
        """The stored image, or pieces of it."""
        return excerpt(self.path(index))

    def stamp(self, index: int) -> tuple[int, ...]:
        """The size and times of the file, or of the tar it is in; -1 for each if it is missing."""
        return cache.stamp(self.path(index))


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


def open_splits(folder: Place, *, name: str | None = None) -> Splits:
    """Open the folder's splits. Raises one DataError for all faults of structure, names and headers.

    A set that is opened by its `name` has the published splits alone, training and test.
    """
    class_folders = scan(folder, name=name)
    facts, unreadable = _header_facts(*class_folders.readers)
    if faults := class_folders.faults + unreadable:
        raise DataError(summary(folder, faults, name=name))
    for reader in class_folders.readers:
        reader.view = facts.view()
    class_folders.notes += sampled_note(facts.dark)
    return class_folders.splits


def open_labelled(folder: Place) -> FolderReader | None:
    """Open all images of a folder of class folders as one split; None where the folder has splits of its own.

    Raises one DataError for all faults, as `open_splits` does.
    """
    if has_split_folders(folder):
        return None
    faults: list[Fault] = []
    files = class_files(folder, faults, [])
    reader = _reader(str(folder), "all", folder, tuple(files), files)
    facts, unreadable = _header_facts(reader)
    if not files or not any(files.values()):
        faults.append(fault(folder, "no class folders with images"))
    if faults or unreadable:
        raise DataError(summary(folder, faults + unreadable))
    reader.view = facts.view()
    return reader


def scan(folder: Place, *, name: str | None = None) -> ClassFolders:
    """The folder's splits and the faults of its structure and names."""
    faults: list[Fault] = []
    litter: list[str] = []
    parts = split_folders(folder, faults, is_labelled=None if name else holds_a_folder)
    if parts:
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
        files = [*split_off(whole)]
        rule = "a fifth of each class is val, after a shuffle with seed 0"
    classes = tuple(files[0])
    train_reader, test_reader, *validation = (
        _reader(name or str(folder), split, place, classes, part)
        for (split, place), part in zip(folders.items(), files, strict=True)
    )
    counts = " / ".join(f"{len(reader):,} {reader.split}" for reader in (train_reader, *validation, test_reader))
    return ClassFolders(
        folder,
        train_reader,
        test_reader,
        validation[0] if validation else None,
        f"{counts} images, {rule}",
        faults,
        counted(litter),
    )


def _of_other_classes(folder: Place, known: tuple[str, ...]) -> list[FolderReader]:
    """Readers of the images in class folders that are not among the known ones."""
    strays: list[FolderReader] = []
    all_classes = scan(folder)
    for reader in (all_classes.train, all_classes.test):
        indices = [i for i in range(len(reader)) if reader.classes[reader.target(i)] not in known]
        names = PackedNames(reader.names[i] for i in indices)
        strays.append(replace(reader, names=names, targets=reader.targets[indices]))
    return [reader for reader in strays if len(reader)]


def _reader(name: str, split: str, folder: Place, classes: tuple[str, ...], files: Files) -> FolderReader:
    return FolderReader(
        name=name,
        split=split,
        classes=classes,
        view=PHOTOS,
        folder=folder,
        directories=classes,
        names=PackedNames(file for class_name in classes for file in files.get(class_name, [])),
        targets=np.repeat(np.arange(len(classes)), [len(files.get(class_name, [])) for class_name in classes]),
    )


class HeaderFacts(NamedTuple):
    """The facts in the headers of all images: the side of square images if all have one size, and colour.

    dark  whether the images of 16 bits, by a sample, fill 12 of them
    """

    square_px: cache.Side | None
    colour: bool
    dark: bool

    def view(self) -> View:
        """The view of such images."""
        photos = PHOTOS if self.colour else PHOTOS.coloured(1)
        if self.square_px is None or self.square_px > SMALL_PX:
            return photos
        return Stretch(
            channels=photos.channels,
            resize_px=self.square_px,
            crop_px=self.square_px,
            mean=photos.mean,
            std=photos.std,
        )


def _header_facts(*readers: FolderReader) -> tuple[HeaderFacts, list[Fault]]:
    """The facts in all headers, and the faults of bad ones; kept in the cache while the files stay as they are."""
    fingerprint = cache.fingerprint(*readers)
    cached = cache.read("headers", fingerprint, HeaderFacts)
    if cached is not None:
        return cached, []
    faults: list[Fault] = []
    sides: set[tuple[int, int]] = set()
    colour = dark = False
    for reader in readers:
        deep: list[int] = []
        for index in range(len(reader)):
            if (head := attempt(reader.header, index, reader.source(index), faults)) is not None:
                colour |= head.colour
                sides.add((head.height, head.width))
                deep += [index] if head.deep else []
        dark |= sample_is_dark(reader.image, deep)
    height, width = sides.pop() if len(sides) == 1 else (0, 1)
    facts = HeaderFacts(width if height == width else None, colour, dark)
    if not faults:
        cache.write("headers", fingerprint, facts)
    return facts, faults


LAYOUT = Layout(
    recognises=lambda place: False,  # any folder that nothing else recognises
    scan=scan,
    open=open_splits,
    open_whole=open_labelled,
    hint="train/<class>/* with val/<class>/* or test/<class>/* or both, or <class>/* alone",
)
