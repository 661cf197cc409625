"""Every fault of a data set at once: all images are decoded, and counted where they are fine.

What was found in the images of a folder is kept by a fingerprint of its files, so a second check is instant.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from resvision.contracts import Reader
from resvision.core import references
from resvision.core.errors import DataError, printable
from resvision.core.images import Pixels
from resvision.data import cache, folder, mask_folder, mask_headers
from resvision.data.faults import Fault, at, fault
from resvision.data.folder import FolderReader, Scan
from resvision.data.mask_folder import MaskScan
from resvision.data.mask_headers import MaskFiles
from resvision.data.sets import Splits, names, open_splits, row
from resvision.data.tars import PackedNames


class Duplicate(NamedTuple):
    """Two images with the same pixels, one trained on and one tested on."""

    train: str
    test: str


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What is fine and what is not.

    images      in both splits together, those of test classes that training does not have among them
    fine        those that could be decoded; with masks, those in which and in whose mask nothing is wrong
    faults      of structure, names and images; training refuses a set that has any
    duplicates  images that are in both splits: no fault of a file, but they flatter the score
    """

    name: str
    images: int
    fine: int
    faults: list[Fault]
    duplicates: list[Duplicate]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        named = {
            "faults": [fault._asdict() for fault in self.faults],
            "duplicates": [pair._asdict() for pair in self.duplicates],
        }
        return {**asdict(self), **named}


def check(
    name_or_folder: str,
    *,
    root: Path | None = None,
    again: bool = False,
    watch: Callable[[int, int], None] = lambda done, images: None,
) -> Findings:
    """Everything that is wrong with a data set or a folder.

    again  decode even if the files are as they were when last checked
    watch  is told how many of how many images are done

    Raises UnknownNameError, and DataError for a set that is not there.
    """
    scan = _opened(name_or_folder, root)
    if isinstance(scan, MaskScan):
        return _check_masks(name_or_folder, scan, again, watch)
    if scan.splits is None:
        return Findings(name=name_or_folder, images=0, fine=0, faults=scan.faults, duplicates=[])
    strays = _strays(scan) if isinstance(scan, Scan) else []
    images = sum(map(len, (scan.splits.train, scan.splits.test, *strays)))
    readers = [reader for reader in scan.splits[:2] if isinstance(reader, FolderReader)]
    mark = cache.fingerprint(*readers, *strays) if len(readers) == 2 else None
    found = None if again or mark is None else _kept(mark)
    if found is None:
        found = _decode_all(scan.splits, strays, lambda done: watch(done, images))
        if mark is not None:
            cache.write("check", mark, found)
    faults, duplicates = found
    return Findings(
        name=name_or_folder,
        images=images,
        fine=images - len(faults),
        faults=scan.faults + faults,
        duplicates=duplicates,
    )


def _check_masks(name: str, scan: MaskScan, again: bool, watch: Callable[[int, int], None]) -> Findings:
    readers, images = (scan.train, scan.test), len(scan.train) + len(scan.test)
    mark = cache.fingerprint(*readers, also=f"{scan.train.classes}{scan.train.labels.tolist()}")
    found = None if again else _kept(mark)
    if found is None:
        found = _decode_masks(scan, lambda done: watch(done, images))
        cache.write("check", mark, found)
    faults, duplicates = found
    wrong = {each.where for each in faults}
    fine = [
        not wrong & {printable(reader.source(index)), printable(reader.mask_source(index))}
        for reader in readers
        for index in range(len(reader))
    ]
    return Findings(name=name, images=images, fine=sum(fine), faults=scan.faults + faults, duplicates=duplicates)


def _kept(mark: str) -> tuple[list[Fault], list[Duplicate]] | None:
    """What an earlier check found in these files; None where nothing of that form is kept."""
    try:
        return msgspec.convert(cache.read("check", mark), tuple[list[Fault], list[Duplicate]])
    except msgspec.ValidationError:
        return None


class _Opened(NamedTuple):
    """Splits and faults of structure; no splits where the set cannot be read at all."""

    splits: Splits | None
    faults: list[Fault]


def _opened(name: str, root: Path | None) -> Scan | MaskScan | _Opened:
    if name in names() and row(name).scanner:
        scan: MaskScan = references.load(row(name).scanner, kind="data set")(root)
        return scan
    place = row(name).where(root) if name in names() else None
    if name == "imagenet" and place is not None:
        return folder.scan(Path(place))
    if name not in names() and Path(name).exists():
        held = at(Path(name))
        masked = mask_folder.is_mask_folder(held) or mask_folder.is_half_a_mask_folder(held)
        return mask_folder.scan(held) if masked else folder.scan(held)
    try:
        return _Opened(open_splits(name, root=root, task=None), [])
    except DataError as error:
        if place is None:
            raise
        where, _, what = str(error).partition(": ")
        return _Opened(None, [Fault(where, what)])


def _strays(scan: Scan) -> list[FolderReader]:
    """The test images of classes that training does not have, which are in neither split."""
    if scan.test.folder == scan.train.folder:
        return []
    whole = folder.scan(scan.test.folder)
    strays = []
    for reader in (whole.train, whole.test):
        where = [i for i in range(len(reader)) if reader.classes[reader.target(i)] not in scan.train.classes]
        names = PackedNames(reader.names[i] for i in where)
        strays.append(replace(reader, names=names, targets=reader.targets[where]))
    return [reader for reader in strays if len(reader)]


def _decode_all(
    splits: Splits, strays: list[FolderReader], watch: Callable[[int], None]
) -> tuple[list[Fault], list[Duplicate]]:
    """The faults of all images, and the test images that are training images too."""
    faults: list[Fault] = []
    done = count(1)
    train, test, *_ = [
        _digests(reader, _image_of(reader), faults, lambda: watch(next(done)))
        for reader in (splits.train, splits.test, *strays)
    ]
    return faults, _duplicates(splits, train, test)


def _decode_masks(scan: MaskScan, watch: Callable[[int], None]) -> tuple[list[Fault], list[Duplicate]]:
    """The faults of all images and masks, and the test images that are training images too."""
    faults: list[Fault] = []
    done = count(1)
    seen: list[NDArray[np.bool_]] = []  # which values each mask holds, none where it cannot be read

    def image_of(reader: MaskFiles) -> Callable[[int], Pixels]:
        def image(index: int) -> Pixels:
            where = reader.mask_source(index)
            stored = mask_headers.attempt(reader.stored, index, where, faults)
            seen.append(np.zeros(256, dtype=bool) if stored is None else mask_headers.present(stored))
            image = reader.image(index)
            if stored is not None and image.shape[:2] != stored.shape:
                faults.append(fault(where, mask_headers.other_sides(image.shape, stored.shape)))
            return image

        return image

    train, test = (
        _digests(reader, image_of(reader), faults, lambda: watch(next(done))) for reader in (scan.train, scan.test)
    )
    held = np.array(seen, dtype=bool).reshape(-1, 256)
    mask_folder.settle(scan, held)
    return faults + mask_folder.value_faults(scan, held), _duplicates(scan.splits, train, test)


def _duplicates(splits: Splits, train: NDArray[np.uint64], test: NDArray[np.uint64]) -> list[Duplicate]:
    """The test images that are training images too, by the digests of both."""
    first_with = {int(digest): index for index, digest in reversed([*enumerate(train)]) if digest}
    return [
        Duplicate(splits.train.source(first_with[int(digest)]), splits.test.source(index))
        for index, digest in enumerate(test)
        if int(digest) in first_with
    ]


def _image_of(reader: Reader) -> Callable[[int], Pixels]:
    return lambda index: reader[index].image


def _digests(
    reader: Reader, image_of: Callable[[int], Pixels], faults: list[Fault], watch: Callable[[], None]
) -> NDArray[np.uint64]:
    """A 64-bit hash of every image's pixels, (M,), 0 for one that cannot be decoded, which goes to `faults`."""
    digests = np.zeros(len(reader), dtype=np.uint64)
    for index in range(len(reader)):
        watch()
        if (image := mask_headers.attempt(image_of, index, reader.source(index), faults)) is None:
            continue
        hashed = hashlib.blake2b(image.tobytes(), digest_size=8, key=str(image.shape).encode())
        digests[index] = int.from_bytes(hashed.digest(), "little")
    return digests
