"""The check of a data set: it decodes all images and targets, lists every fault, and counts those without one.

The faults that were found in the files of a folder are kept by a fingerprint of these, so a second check is instant.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core import references
from resvision.core.errors import DataError, printable
from resvision.core.samples import Reader
from resvision.data import cache
from resvision.data.faults import Fault, at
from resvision.data.layouts import Scan, layout_for
from resvision.data.sets import names, open_splits, row


class Duplicate(NamedTuple):
    """Two images with the same pixels, one trained on and one tested on."""

    train: str
    test: str


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The result of a check: the faults, and the images without one.

    images      in both splits together, those in neither split among them
    fine        those without a fault in image or target
    faults      of structure, names, images and targets; training refuses a set that has any
    duplicates  images that are in both splits: no fault of a file, but they flatter the score
    """

    name: str
    images: int
    fine: int
    faults: list[Fault]
    duplicates: list[Duplicate]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        lists = {
            "faults": [fault._asdict() for fault in self.faults],
            "duplicates": [pair._asdict() for pair in self.duplicates],
        }
        return {**asdict(self), **lists}


class _Kept(NamedTuple):
    """The part of the findings that is kept in the cache."""

    faults: list[Fault]
    duplicates: list[Duplicate]


class _InMemory(Scan):
    """A set without files of its own, such as one that lies in arrays."""

    def __init__(self, train: Reader[Any], test: Reader[Any]) -> None:
        self.train, self.test, self.split_rule, self.faults = train, test, "", []

    def fingerprint(self, *strays: Reader[Any]) -> str:
        """An empty text, since without files nothing is kept: the set is checked each time."""
        return ""


def check(
    name_or_folder: str,
    *,
    root: Path | None = None,
    again: bool = False,
    watch: Callable[[int, int], None] = lambda done, images: None,
) -> Findings:
    """Check a data set or a folder and return every fault.

    again  decode even if the files are as they were when last checked
    watch  takes the number of images checked so far and the number of all

    Raises UnknownNameError, and DataError for a set that is not there.
    """
    scan = _scan(name_or_folder, root)
    if isinstance(scan, Fault):
        return Findings(name=name_or_folder, images=0, fine=0, faults=[scan], duplicates=[])
    readers = [scan.train, scan.test, *scan.strays()]
    images = sum(map(len, readers))
    fingerprint = scan.fingerprint(*readers[2:])
    result = None if again or not fingerprint else cache.read("check", fingerprint, _Kept)
    if result is None:
        result = _decode(scan, readers, lambda done: watch(done, images))
        if fingerprint:
            cache.write("check", fingerprint, result)
    faults, duplicates = result
    faulty = {fault.where for fault in faults}
    fine = sum(
        not faulty & {printable(reader.source(index)), printable(reader.target_source(index))}
        for reader in readers
        for index in range(len(reader))
    )
    return Findings(name=name_or_folder, images=images, fine=fine, faults=scan.faults + faults, duplicates=duplicates)


def _scan(name: str, root: Path | None) -> Scan | Fault:
    """The set by structure and names, or a fault where it exists and cannot be read at all."""
    if name not in names() and Path(name).exists():
        folder = at(Path(name))
        return layout_for(folder, None)[1].scan(folder)
    if name in names() and row(name).scanner:
        scan: Scan = references.load(row(name).scanner, noun="data set")(root)
        return scan
    location = row(name).where(root) if name in names() else None
    try:
        splits = open_splits(name, root=root, task=None)
    except DataError as error:
        if location is None:
            raise
        source, _, fault = str(error).partition(": ")
        return Fault(source, fault)
    return _InMemory(splits.train, splits.test)


def _decode(scan: Scan, readers: list[Reader[Any]], watch: Callable[[int], None]) -> _Kept:
    """The faults of all images and targets, and the test images that are training images too."""
    faults: list[Fault] = []
    counter = count(1)
    train, test, *_ = [_digests(scan, reader, faults, lambda: watch(next(counter))) for reader in readers]
    faults += scan.faults_of_targets()
    first_with = {int(digest): index for index, digest in reversed([*enumerate(train)]) if digest}
    duplicates = [
        Duplicate(scan.train.source(first_with[int(digest)]), scan.test.source(index))
        for index, digest in enumerate(test)
        if int(digest) in first_with
    ]
    return _Kept(faults, duplicates)


def _digests(scan: Scan, reader: Reader[Any], faults: list[Fault], watch: Callable[[], None]) -> NDArray[np.uint64]:
    """A 64-bit hash of every image's pixels, (M,); 0 for an image that cannot be decoded, which adds to `faults`."""
    digests = np.zeros(len(reader), dtype=np.uint64)
    for index in range(len(reader)):
        watch()
        if (image := scan.look(reader, index, faults)) is not None:
            hashed = hashlib.blake2b(image.tobytes(), digest_size=8, key=str(image.shape).encode())
            digests[index] = int.from_bytes(hashed.digest(), "little")
    return digests
