"""A folder of images as a data set: a folder for each class, named after it.

Either train/<class>/* with val/<class>/* (or test/), or <class>/* alone, from which a fifth of each class is
split off. Names with a leading dot are left out; any other file that is not an image of an allowed format is a
fault. The structure, the names and the header of every image are checked whenever a folder is opened, and one
error sums up all faults; `resvision data check` decodes the images as well and lists each.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.draws import shuffled
from resvision.core.errors import DataError
from resvision.core.images import decode, header
from resvision.core.samples import Reader, Sample
from resvision.core.views import CentreCrop, Stretch, View
from resvision.data import cache
from resvision.data.faults import Fault, Place, fault, fault_of, listing, summary
from resvision.data.layouts import Layout, Scan
from resvision.data.splits import Splits
from resvision.data.tars import PackedNames

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
        path = self.path(index)
        image = decode(path) if isinstance(path, Path) else decode(path.read_bytes(), name=str(path))
        return Sample(image, self.target(index))

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

    def stamp(self, index: int) -> tuple[int, int]:
        """The size of the file, or of the tar it is in, and its time of change in ns; (-1, -1) if it is missing."""
        return cache.stamp(self.path(index))


@dataclass
class ClassFolders(Scan):
    """A folder's two splits and their faults, by structure and names; no file was opened."""

    folder: Place
    train: FolderReader
    test: FolderReader
    split_rule: str
    faults: list[Fault]

    def fingerprint(self, *strays: Reader[Any]) -> str:
        """The fingerprint of all files."""
        return cache.fingerprint(self.train, self.test, *(stray for stray in strays if isinstance(stray, FolderReader)))

    def strays(self) -> list[Reader[Any]]:
        """The test images of classes that training does not have, which are in neither split."""
        if self.test.folder == self.train.folder:
            return []
        all_classes = scan(self.test.folder)
        strays: list[Reader[Any]] = []
        for reader in (all_classes.train, all_classes.test):
            indices = [i for i in range(len(reader)) if reader.classes[reader.target(i)] not in self.train.classes]
            names = PackedNames(reader.names[i] for i in indices)
            strays.append(replace(reader, names=names, targets=reader.targets[indices]))
        return [reader for reader in strays if len(reader)]


Files = dict[str, list[str]]  # class -> names of its files, both in order


def open_splits(folder: Place, *, name: str | None = None) -> Splits:
    """Open the folder's splits. Raises one DataError for all faults of structure, names and headers."""
    class_folders = scan(folder, name=name)
    facts, unreadable = _header_facts(class_folders.train, class_folders.test)
    if faults := class_folders.faults + unreadable:
        raise DataError(summary(folder, faults))
    class_folders.train.view = class_folders.test.view = facts.view()
    return class_folders.splits


def open_labelled(folder: Place) -> FolderReader | None:
    """Open all images of a folder of class folders as one split; None where the folder has splits of its own.

    Raises one DataError for all faults, as `open_splits` does.
    """
    if any((folder / split).is_dir() for split in ("train", "val", "test")):
        return None
    faults: list[Fault] = []
    files = _class_folders(folder, faults)
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
    held_out = next((split for split in ("val", "test") if (folder / split).is_dir()), None)
    if held_out and (folder / "train").is_dir():
        folders = {"train": folder / "train", held_out: folder / held_out}
        train, test = (_class_folders(split_folder, faults) for split_folder in folders.values())
        faults += _class_faults(train, folders["train"], least=1)
        faults += _unknown_classes(train, test, folders[held_out])
        if not any(test.values()):
            faults.append(fault(folders[held_out], "no images"))
        rule = f"from the folders train and {held_out}{_without_images(train, test, held_out)}"
        if held_out == "val" and (folder / "test").is_dir():
            rule += "; the folder test is left untouched"
    elif _holds_folders(folder / "train"):
        fault_text = f"no folder val or test beside train; add one, or name {folder / 'train'} to have it split"
        faults.append(fault(folder, fault_text))
        folders, train, test, rule = {"train": folder, "val": folder}, {}, {}, ""
    else:
        folders = {"train": folder, "val": folder}
        whole = _class_folders(folder, faults)
        faults += _class_faults(whole, folder, least=2)
        train, test = _split_off(whole)
        rule = "a fifth of each class is val, after a shuffle with seed 0"
    readers = [
        _reader(name or str(folder), split, split_folder, tuple(train), files)
        for (split, split_folder), files in zip(folders.items(), (train, test), strict=True)
    ]
    counts = " / ".join(f"{len(reader):,} {reader.split}" for reader in readers)
    return ClassFolders(folder, readers[0], readers[1], f"{counts} images, {rule}", faults)


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


def _class_folders(folder: Place, faults: list[Fault]) -> Files:
    """The classes and their files, in order of name; entries that do not belong add to `faults`."""
    files: Files = {}
    for name, is_folder in listing(folder, faults):
        if not is_folder:
            faults.append(fault(folder / name, "a file where only class folders may be"))
        elif not name.isprintable():
            faults.append(fault(folder / name, "a class name with a line break or the like"))
        else:
            files[name] = []
            for file, is_subfolder in listing(folder / name, faults):
                if is_subfolder:
                    faults.append(fault(folder / name / file, "a folder inside a class"))
                else:
                    files[name].append(file)
    return files


def _holds_folders(folder: Place) -> bool:
    """Whether the folder exists and holds folders alone."""
    entries = listing(folder, []) if folder.is_dir() else []
    return bool(entries) and all(is_folder for _, is_folder in entries)


def _class_faults(classes: Files, folder: Place, *, least: int) -> Iterator[Fault]:
    """Yield the faults of classes, each of which needs `least` images: 1, or 2 where one is split off."""
    if len(classes) < 2:
        text = f"one class only, {next(iter(classes))}; two are needed" if classes else "no class folders"
        yield fault(folder, text)
    for class_name, files in classes.items():
        if len(files) < least:
            text = "one image only; two are needed to split one off" if files else "an empty class"
            yield fault(folder / class_name, text)
    folded: dict[str, str] = {}
    for class_name in classes:
        twin = folded.setdefault(unicodedata.normalize("NFC", class_name).casefold(), class_name)
        if twin != class_name:
            yield fault(folder / class_name, f"a class name that differs from {twin} only in case or encoding")


def _unknown_classes(train: Files, test: Files, folder: Place) -> list[Fault]:
    return [
        fault(folder / class_name, "a class that train does not have") for class_name in test if class_name not in train
    ]


def _without_images(train: Files, test: Files, split: str) -> str:
    """The words that name classes without test images, or "".

    Such a set is not refused, since its training split is complete.
    """
    bare = [class_name for class_name in train if not test.get(class_name)]
    more = f" and {len(bare) - 5:,} more" if len(bare) > 5 else ""
    return f"; no {split} images of {', '.join(bare[:5])}{more}" if bare else ""


def _split_off(whole: Files) -> tuple[Files, Files]:
    """Split files into training and validation: a fifth of each class, at least one, is validation.

    The shuffle depends on the number of files in the class only, so other classes may come and go.
    """
    train: Files = {}
    test: Files = {}
    for class_name, files in whole.items():
        held_out = set(shuffled(len(files), seed=0)[: max(1, len(files) // 5)].tolist())
        train[class_name] = [file for index, file in enumerate(files) if index not in held_out]
        test[class_name] = [file for index, file in enumerate(files) if index in held_out]
    return train, test


class HeaderFacts(NamedTuple):
    """The facts in the headers of all images: the side of square images if all have one size, and colour."""

    square_px: cache.Side | None
    colour: bool

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
    colour = False
    for path in (reader.path(index) for reader in readers for index in range(len(reader))):
        try:
            image_header = header(path) if isinstance(path, Path) else header(path.read_bytes(), name=str(path))
        except DataError as error:
            faults.append(fault_of(str(path), error))
            continue
        colour |= image_header.colour
        sides.add((image_header.height, image_header.width))
    height, width = sides.pop() if len(sides) == 1 else (0, 1)
    facts = HeaderFacts(width if height == width else None, colour)
    if not faults:
        cache.write("headers", fingerprint, facts)
    return facts, faults


LAYOUT = Layout(
    recognises=lambda place: False,  # any folder that nothing else recognises
    scan=scan,
    open=open_splits,
    open_whole=open_labelled,
    hint="train/<class>/* with val/<class>/*, or <class>/* alone",
)
