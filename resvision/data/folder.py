"""A folder of images as a data set: one folder a class, named after it.

Either train/<class>/* with val/<class>/* (or test/), or <class>/* alone, from which a fifth of each class is
split off. Names with a leading dot are left out; whatever else is not an image of an allowed format is a
fault. The structure, the names and the header of every image are checked whenever a folder is opened, and one
error sums up all faults; `resvision data check` decodes the images as well and lists each.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.contracts import Sample
from resvision.core.draws import shuffled
from resvision.core.errors import DataError
from resvision.core.images import Preprocess, decode, header, printable
from resvision.data import kept
from resvision.data.sets import Splits

PHOTOS = Preprocess(
    channels=3,
    resize="shorter-side",
    resize_px=256,
    crop_px=224,
    mean=(0.485, 0.456, 0.406),  # of ImageNet, as is std: what published weights were trained with
    std=(0.229, 0.224, 0.225),
)
SMALL_PX = 64
"""Square images of one size up to this are shown as they are, not enlarged to PHOTOS."""


class Fault(NamedTuple):
    """What is wrong, and where: a file or a folder."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class PackedNames:
    """File names end to end in one array: a list of them would cost every worker a copy of its own."""

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [os.fsencode(name) for name in names]
        self._bytes = b"".join(encoded)
        self._ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)

    def __getitem__(self, index: int) -> str:
        return os.fsdecode(self._bytes[self._ends[index] : self._ends[index + 1]])


@dataclass(kw_only=True)
class FolderReader:
    """One split of a folder; an image is read when it is asked for.

    folder   holds one folder a class, under the class's name
    names    of the files, in order of class and name
    targets  class indices, (M,) int64
    """

    name: str
    split: str
    classes: tuple[str, ...]
    preprocess: Preprocess
    folder: Path
    directories: tuple[str, ...]
    names: PackedNames
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> Sample:
        return Sample(decode(self.path(index)), self.target(index))

    def target(self, index: int) -> int:
        """Class index of sample `index`."""
        return int(self.targets[index])

    def source(self, index: int) -> str:
        """Path of the file."""
        return str(self.path(index))

    def path(self, index: int) -> Path:
        """Path of the file."""
        return self.folder / self.directories[self.target(index)] / self.names[index]


class Scan(NamedTuple):
    """A folder's two splits by structure and names, and what is wrong with them; no file was opened."""

    splits: Splits
    faults: list[Fault]


Files = dict[str, list[str]]  # class -> names of its files, both in order


def open_splits(folder: Path, *, name: str | None = None) -> Splits:
    """The folder's splits. Raises one DataError for all faults of structure, names and headers."""
    splits, faults = scan(folder, name=name)
    looks, unreadable = _looks(splits)
    if faults or unreadable:
        raise DataError(summary(folder, faults + unreadable))
    splits.train.preprocess = splits.test.preprocess = looks.preprocess()
    return splits


def open_labelled(folder: Path) -> FolderReader | None:
    """All images of a folder of class folders as one split; None where the folder has splits of its own.

    Raises one DataError for all faults, as `open_splits` does.
    """
    if any((folder / split).is_dir() for split in ("train", "val", "test")):
        return None
    faults: list[Fault] = []
    files = _class_folders(folder, faults)
    whole = _splits(folder, {"all": folder, "none": folder}, files, {}, "", None)
    looks, unreadable = _looks(whole)
    if not files or not any(files.values()):
        faults.append(_fault(folder, "no class folders with images"))
    if faults or unreadable:
        raise DataError(summary(folder, faults + unreadable))
    reader = whole.train
    assert isinstance(reader, FolderReader)
    reader.preprocess = looks.preprocess()
    return reader


def summary(folder: Path, faults: list[Fault]) -> str:
    """One line: how many faults, the first three, and how to see the rest."""
    first = "; ".join(map(str, faults[:3]))
    if len(faults) == 1:
        return first
    shown = printable(folder)
    return f"{shown}: {len(faults):,} faults: {first}; `resvision data check {shown}` lists them all"


def scan(folder: Path, *, name: str | None = None) -> Scan:
    """The folder's splits and the faults of its structure and names."""
    faults: list[Fault] = []
    held_out = next((split for split in ("val", "test") if (folder / split).is_dir()), None)
    if held_out and (folder / "train").is_dir():
        places = {"train": folder / "train", held_out: folder / held_out}
        train, test = (_class_folders(place, faults) for place in places.values())
        faults += _class_faults(train, places["train"], least=1)
        faults += _unknown_classes(train, test, places[held_out])
        if not any(test.values()):
            faults.append(_fault(places[held_out], "no images"))
        rule = f"from the folders train and {held_out}{_without_images(train, test, held_out)}"
        if held_out == "val" and (folder / "test").is_dir():
            rule += "; the folder test is left untouched"
    elif _holds_folders(folder / "train"):
        what = f"no folder val or test beside train; add one, or name {folder / 'train'} to have it split"
        return Scan(_splits(folder, {"train": folder, "val": folder}, {}, {}, "", name), [_fault(folder, what)])
    else:
        places = {"train": folder, "val": folder}
        whole = _class_folders(folder, faults)
        faults += _class_faults(whole, folder, least=2)
        train, test = _split_off(whole)
        rule = "a fifth of each class is val, after a shuffle with seed 0"
    return Scan(_splits(folder, places, train, test, rule, name), faults)


def _splits(folder: Path, places: dict[str, Path], train: Files, test: Files, rule: str, name: str | None) -> Splits:
    classes = tuple(train)
    readers = [
        FolderReader(
            name=name or str(folder),
            split=split,
            classes=classes,
            preprocess=PHOTOS,
            folder=place,
            directories=classes,
            names=PackedNames(each for one in classes for each in files.get(one, [])),
            targets=np.repeat(np.arange(len(classes)), [len(files.get(one, [])) for one in classes]),
        )
        for (split, place), files in zip(places.items(), (train, test), strict=True)
    ]
    counts = " / ".join(f"{len(reader):,} {reader.split}" for reader in readers)
    return Splits(readers[0], readers[1], f"{counts} images, {rule}")


def _class_folders(folder: Path, faults: list[Fault]) -> Files:
    """Classes and their files, in order of name; what does not belong goes to `faults`."""
    found: Files = {}
    for entry in _entries(folder, faults):
        if not entry.is_dir():
            faults.append(_fault(entry.path, "a file where only class folders may be"))
        elif not entry.name.isprintable():
            faults.append(_fault(entry.path, "a class name with a line break or the like"))
        else:
            found[entry.name] = []
            for file in _entries(Path(entry.path), faults):
                if file.is_dir():
                    faults.append(_fault(file.path, "a folder inside a class"))
                else:
                    found[entry.name].append(file.name)
    return found


def _entries(folder: Path, faults: list[Fault]) -> Iterator["os.DirEntry[str]"]:
    """What a folder holds, hidden names left out, in order of name."""
    try:
        with os.scandir(folder) as entries:
            shown = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        faults.append(_fault(folder, f"cannot be listed ({error.strerror})"))
        return
    yield from sorted(shown, key=lambda entry: entry.name)


def _holds_folders(folder: Path) -> bool:
    """Whether there is a folder, with folders in it and nothing else."""
    entries = [*_entries(folder, [])] if folder.is_dir() else []
    return bool(entries) and all(entry.is_dir() for entry in entries)


def _class_faults(classes: Files, folder: Path, *, least: int) -> Iterator[Fault]:
    """What is wrong with classes of which each needs `least` images: 1, or 2 where one is split off."""
    if len(classes) < 2:
        found = f"one class only, {next(iter(classes))}; two are needed" if classes else "no class folders"
        yield _fault(folder, found)
    for each, files in classes.items():
        if len(files) < least:
            what = "one image only; two are needed to split one off" if files else "an empty class"
            yield _fault(folder / each, what)
    seen: dict[str, str] = {}
    for each in classes:
        like = seen.setdefault(unicodedata.normalize("NFC", each).casefold(), each)
        if like != each:
            yield _fault(folder / each, f"a class name that differs from {like} only in case or encoding")


def _unknown_classes(train: Files, test: Files, folder: Path) -> list[Fault]:
    return [_fault(folder / each, "a class that train does not have") for each in test if each not in train]


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

    def preprocess(self) -> Preprocess:
        """The rule by which such images are shown."""
        rule = PHOTOS if self.colour else PHOTOS.coloured(1)
        if self.square_px is None or self.square_px > SMALL_PX:
            return rule
        return replace(rule, resize="stretch", resize_px=self.square_px, crop_px=self.square_px)


def _looks(splits: Splits) -> tuple[Looks, list[Fault]]:
    """How the images look by their headers, and those whose header is no good; kept while the files stay."""
    mark = kept.fingerprint(splits)
    known = kept.read("headers", mark)
    if isinstance(known, dict) and known.keys() == set(Looks._fields):
        return Looks(**known), []
    faults: list[Fault] = []
    sides: set[tuple[int, int]] = set()
    colour = False
    for path in (reader.source(index) for reader in splits[:2] for index in range(len(reader))):
        try:
            read = header(Path(path))
        except DataError as error:
            faults.append(fault_of(path, error))
            continue
        colour |= read.colour
        sides.add((read.height, read.width))
    height, width = sides.pop() if len(sides) == 1 else (0, 1)
    looks = Looks(width if height == width else None, colour)
    if not faults:
        kept.write("headers", mark, looks._asdict())
    return looks, faults


def fault_of(path: str, error: DataError) -> Fault:
    """The fault of a file whose reading raised `error`, which begins with its name."""
    return _fault(path, str(error).removeprefix(f"{printable(path)}: "))


def _fault(where: Path | str, what: str) -> Fault:
    return Fault(printable(where), what)
