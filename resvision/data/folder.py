"""A folder of images as a data set: one folder a class, named after it.

Either train/<class>/* with val/<class>/* (or test/), or <class>/* alone, from which a fifth of each class is
split off. Names with a leading dot are left out; whatever else is not an image of an allowed format is a
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
    """One split of a folder; an image is read when it is asked for.

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
        """Class index of sample `index`."""
        return int(self.targets[index])

    def source(self, index: int) -> str:
        """Path of the file."""
        return str(self.path(index))

    def stratum(self, index: int) -> int:
        """The class."""
        return self.target(index)

    def path(self, index: int) -> Place:
        """Path of the file."""
        return self.folder / self.directories[self.target(index)] / self.names[index]

    def stamp(self, index: int) -> tuple[int, int]:
        """Size of the file, or of the tar it is in, and its time of change in ns; (-1, -1) if it is missing."""
        return cache.stamp(self.path(index))


@dataclass
class ClassFolders(Scan):
    """A folder's two splits by structure and names, and what is wrong with them; no file was opened."""

    folder: Place
    train: FolderReader
    test: FolderReader
    split_rule: str
    faults: list[Fault]

    def mark(self, *strays: Reader[Any]) -> str:
        """The fingerprint of all files."""
        return cache.fingerprint(self.train, self.test, *(stray for stray in strays if isinstance(stray, FolderReader)))

    def strays(self) -> list[Reader[Any]]:
        """The test images of classes that training does not have, which are in neither split."""
        if self.test.folder == self.train.folder:
            return []
        whole = scan(self.test.folder)
        strays: list[Reader[Any]] = []
        for reader in (whole.train, whole.test):
            where = [i for i in range(len(reader)) if reader.classes[reader.target(i)] not in self.train.classes]
            names = PackedNames(reader.names[i] for i in where)
            strays.append(replace(reader, names=names, targets=reader.targets[where]))
        return [reader for reader in strays if len(reader)]


Files = dict[str, list[str]]  # class -> names of its files, both in order


def open_splits(folder: Place, *, name: str | None = None) -> Splits:
    """The folder's splits. Raises one DataError for all faults of structure, names and headers."""
    found = scan(folder, name=name)
    looks, unreadable = _looks(found.train, found.test)
    if faults := found.faults + unreadable:
        raise DataError(summary(folder, faults))
    found.train.view = found.test.view = looks.view()
    return found.splits


def open_labelled(folder: Place) -> FolderReader | None:
    """All images of a folder of class folders as one split; None where the folder has splits of its own.

    Raises one DataError for all faults, as `open_splits` does.
    """
    if any((folder / split).is_dir() for split in ("train", "val", "test")):
        return None
    faults: list[Fault] = []
    files = _class_folders(folder, faults)
    reader = _reader(str(folder), "all", folder, tuple(files), files)
    looks, unreadable = _looks(reader)
    if not files or not any(files.values()):
        faults.append(fault(folder, "no class folders with images"))
    if faults or unreadable:
        raise DataError(summary(folder, faults + unreadable))
    reader.view = looks.view()
    return reader


def scan(folder: Place, *, name: str | None = None) -> ClassFolders:
    """The folder's splits and the faults of its structure and names."""
    faults: list[Fault] = []
    held_out = next((split for split in ("val", "test") if (folder / split).is_dir()), None)
    if held_out and (folder / "train").is_dir():
        places = {"train": folder / "train", held_out: folder / held_out}
        train, test = (_class_folders(place, faults) for place in places.values())
        faults += _class_faults(train, places["train"], least=1)
        faults += _unknown_classes(train, test, places[held_out])
        if not any(test.values()):
            faults.append(fault(places[held_out], "no images"))
        rule = f"from the folders train and {held_out}{_without_images(train, test, held_out)}"
        if held_out == "val" and (folder / "test").is_dir():
            rule += "; the folder test is left untouched"
    elif _holds_folders(folder / "train"):
        what = f"no folder val or test beside train; add one, or name {folder / 'train'} to have it split"
        faults.append(fault(folder, what))
        places, train, test, rule = {"train": folder, "val": folder}, {}, {}, ""
    else:
        places = {"train": folder, "val": folder}
        whole = _class_folders(folder, faults)
        faults += _class_faults(whole, folder, least=2)
        train, test = _split_off(whole)
        rule = "a fifth of each class is val, after a shuffle with seed 0"
    readers = [
        _reader(name or str(folder), split, place, tuple(train), files)
        for (split, place), files in zip(places.items(), (train, test), strict=True)
    ]
    counts = " / ".join(f"{len(reader):,} {reader.split}" for reader in readers)
    return ClassFolders(folder, readers[0], readers[1], f"{counts} images, {rule}", faults)


def _reader(name: str, split: str, place: Place, classes: tuple[str, ...], files: Files) -> FolderReader:
    return FolderReader(
        name=name,
        split=split,
        classes=classes,
        view=PHOTOS,
        folder=place,
        directories=classes,
        names=PackedNames(each for one in classes for each in files.get(one, [])),
        targets=np.repeat(np.arange(len(classes)), [len(files.get(one, [])) for one in classes]),
    )


def _class_folders(folder: Place, faults: list[Fault]) -> Files:
    """Classes and their files, in order of name; what does not belong goes to `faults`."""
    found: Files = {}
    for name, is_folder in listing(folder, faults):
        if not is_folder:
            faults.append(fault(folder / name, "a file where only class folders may be"))
        elif not name.isprintable():
            faults.append(fault(folder / name, "a class name with a line break or the like"))
        else:
            found[name] = []
            for file, is_subfolder in listing(folder / name, faults):
                if is_subfolder:
                    faults.append(fault(folder / name / file, "a folder inside a class"))
                else:
                    found[name].append(file)
    return found


def _holds_folders(folder: Place) -> bool:
    """Whether there is a folder, with folders in it and nothing else."""
    entries = listing(folder, []) if folder.is_dir() else []
    return bool(entries) and all(is_folder for _, is_folder in entries)


def _class_faults(classes: Files, folder: Place, *, least: int) -> Iterator[Fault]:
    """What is wrong with classes of which each needs `least` images: 1, or 2 where one is split off."""
    if len(classes) < 2:
        found = f"one class only, {next(iter(classes))}; two are needed" if classes else "no class folders"
        yield fault(folder, found)
    for each, files in classes.items():
        if len(files) < least:
            what = "one image only; two are needed to split one off" if files else "an empty class"
            yield fault(folder / each, what)
    seen: dict[str, str] = {}
    for each in classes:
        like = seen.setdefault(unicodedata.normalize("NFC", each).casefold(), each)
        if like != each:
            yield fault(folder / each, f"a class name that differs from {like} only in case or encoding")


def _unknown_classes(train: Files, test: Files, folder: Place) -> list[Fault]:
    return [fault(folder / each, "a class that train does not have") for each in test if each not in train]


def _without_images(train: Files, test: Files, split: str) -> str:
    """Classes that cannot be tested: no reason to refuse the set, since training is whole, but to be said."""
    bare = [each for each in train if not test.get(each)]
    more = f" and {len(bare) - 5:,} more" if len(bare) > 5 else ""
    return f"; no {split} images of {', '.join(bare[:5])}{more}" if bare else ""


def _split_off(whole: Files) -> tuple[Files, Files]:
    """Training and validation files: a fifth of each class, at least one, is validation.

    The shuffle depends on the number of files in the class only, so other classes may come and go.
    """
    train: Files = {}
    test: Files = {}
    for each, files in whole.items():
        held_out = set(shuffled(len(files), seed=0)[: max(1, len(files) // 5)].tolist())
        train[each] = [file for index, file in enumerate(files) if index not in held_out]
        test[each] = [file for index, file in enumerate(files) if index in held_out]
    return train, test


class Looks(NamedTuple):
    """What the headers of all images say: the side of square images if all have one size, and colour."""

    square_px: int | None
    colour: bool

    def view(self) -> View:
        """How such images are shown."""
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


def _looks(*readers: FolderReader) -> tuple[Looks, list[Fault]]:
    """How the images look by their headers, and those whose header is no good; kept while the files stay."""
    mark = cache.fingerprint(*readers)
    known = cache.read("headers", mark)
    if isinstance(known, dict) and known.keys() == set(Looks._fields):
        return Looks(**known), []
    faults: list[Fault] = []
    sides: set[tuple[int, int]] = set()
    colour = False
    for path in (reader.path(index) for reader in readers for index in range(len(reader))):
        try:
            read = header(path) if isinstance(path, Path) else header(path.read_bytes(), name=str(path))
        except DataError as error:
            faults.append(fault_of(str(path), error))
            continue
        colour |= read.colour
        sides.add((read.height, read.width))
    height, width = sides.pop() if len(sides) == 1 else (0, 1)
    looks = Looks(width if height == width else None, colour)
    if not faults:
        cache.write("headers", mark, looks._asdict())
    return looks, faults


LAYOUT = Layout(
    recognises=lambda place: False,  # any folder that nothing else recognises
    scan=scan,
    open=open_splits,
    open_whole=open_labelled,
    hint="train/<class>/* with val/<class>/*, or <class>/* alone",
)
