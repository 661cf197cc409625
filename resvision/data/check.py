"""The check of a data set: it decodes all images and targets, lists every fault, and counts those without one.

The faults that were found in the files of a folder are kept by a fingerprint of these, so a second check is instant.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import DataError, printable
from resvision.core.samples import Reader
from resvision.data import cache
from resvision.data.deep_images import counted_note, is_dark
from resvision.data.faults import Fault
from resvision.data.layouts import Scan, layout_for
from resvision.data.places import at
from resvision.data.sets import load, names, open_splits, row
from resvision.data.splits import Splits
from resvision.kinds.table import kind_of


class Duplicate(NamedTuple):
    """Two images with the same pixels in two splits; the third is None."""

    train: str | None = None
    test: str | None = None
    validation: str | None = None

    def __str__(self) -> str:
        judged = self.test or self.validation
        seen, use = (self.train, "is trained on") if self.train else (self.validation, "judges on the way")
        return f"{judged}: has the same pixels as {seen}, which {use}"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The result of a check: the faults, and the images without one.

    images      in all splits together, those in no split among them
    fine        those without a fault in image or target
    faults      of structure, names, images and targets; training refuses a set that has any
    duplicates  images that are in two splits: no fault of a file, but they flatter the score
    notes       what a person should know of the files and need not change
    again       whether the files are as they were when last checked, and were not decoded anew
    sample_noun the noun of what is counted
    """

    name: str
    images: int
    fine: int
    faults: list[Fault]
    duplicates: list[Duplicate]
    notes: list[str] = field(default_factory=list)
    again: bool = field(default=False, compare=False)
    sample_noun: str = field(default="image", compare=False)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        duplicates = [{split: source for split, source in pair._asdict().items() if source} for pair in self.duplicates]
        lists = {"faults": [fault.to_json() for fault in self.faults], "duplicates": duplicates}
        plain = {name: value for name, value in asdict(self).items() if name != "sample_noun"}
        return {**plain, **lists}


class Decoded(NamedTuple):
    """The findings that need decoding; `dark` counts images of 16 bits that are nearly black."""

    faults: list[Fault]
    duplicates: list[Duplicate]
    dark: cache.Count


class _InMemory(Scan):
    """A set without files of its own, such as one that lies in arrays."""

    def __init__(self, splits: Splits) -> None:
        self.train, self.test, self.validation = splits.train, splits.test, splits.validation
        self.split_rule, self.faults, self.notes = splits.split_rule, [], [*splits.notes]

    def fingerprint(self, *strays: Reader[Any]) -> str:
        """An empty text, since without files nothing is kept: the set is checked each time."""
        return ""


def check(
    name_or_folder: str,
    *,
    root: Path | None = None,
    columns: Sequence[str] = (),
    allow: Sequence[str] = (),
    frame_seconds: float | None = None,
    again: bool = False,
    watch: Callable[[int, int], None] = lambda done, images: None,
) -> Findings:
    """Check a data set or a folder and return every fault.

    columns        of a table by role, as `path=file`, where their contents do not tell them
    allow          kinds of faults that are left out, and are none then (`data.fault_kinds`)
    frame_seconds  between two frames of recordings that do not say it
    again          decode even if the files are as they were when last checked
    watch          takes the number of images checked so far and the number of all

    Raises UnknownNameError, and DataError for a set that is not there.
    """
    scan = _scan(name_or_folder, root, columns, allow, frame_seconds)
    if isinstance(scan, Fault):
        return Findings(name=name_or_folder, images=0, fine=0, faults=[scan], duplicates=[])
    strays = scan.strays()
    readers = scan.splits.readers + strays
    images = sum(map(len, readers))
    fingerprint = scan.fingerprint(*strays) if images else ""
    kept = None if again or not fingerprint else cache.read("check", fingerprint, Decoded)
    findings = kept or _decode(scan, readers, lambda done: watch(done, images))
    if fingerprint and kept is None:
        cache.write("check", fingerprint, findings)
    faulty = {where for fault in scan.faults + findings.faults for where in (fault.where, _file(fault.where))}
    fine = sum(
        not faulty & {printable(reader.source(index)), printable(reader.target_source(index))}
        for reader in readers
        for index in range(len(reader))
    )
    return Findings(
        name=name_or_folder,
        images=images,
        fine=fine,
        faults=scan.faults + findings.faults,
        duplicates=findings.duplicates,
        notes=scan.notes + counted_note(findings.dark),
        again=kept is not None,
        sample_noun=scan.sample_noun,
    )


def _scan(
    name: str, root: Path | None, columns: Sequence[str], allow: Sequence[str], frame_seconds: float | None
) -> Scan | Fault:
    """The set by structure and names, or a fault where it exists and cannot be read at all."""
    if name not in names() and Path(name).exists():
        folder = at(Path(name))
        return layout_for(folder, None, columns, allow, frame_seconds)[1].scan(folder, columns)
    if name in names() and row(name).scanner:
        scan: Scan = load(row(name), row(name).scanner, root, allow)
        return scan
    location = row(name).where(root) if name in names() else None
    try:
        splits = open_splits(name, root=root, task=None, allow=allow)
    except DataError as error:
        if location is None:
            raise
        source, _, fault = str(error).partition(": ")
        return Fault(source, fault)
    in_memory = _InMemory(splits)
    if name in names():
        in_memory.sample_noun = kind_of(row(name).task).sample_noun
    return in_memory


def _decode(scan: Scan, readers: list[Reader[Any]], watch: Callable[[int], None]) -> Decoded:
    """The faults of all images and targets, and the images that are in two splits."""
    faults: list[Fault] = []
    counter, dark = count(1), count()
    digests = [_digests(scan, reader, faults, lambda: watch(next(counter)), lambda: next(dark)) for reader in readers]
    faults += scan.faults_of_targets()
    names = ["train", "test", *(["validation"] if scan.validation is not None else [])]
    splits = {name: (reader, digest) for name, reader, digest in zip(names, readers, digests, strict=False)}
    pairs = [("train", "test"), ("train", "validation"), ("validation", "test")]
    duplicates = [
        Duplicate(**{first: splits[first][0].source(i), second: splits[second][0].source(j)})
        for first, second in pairs
        if {first, second} <= splits.keys()
        for i, j in _equal(splits[first][1], splits[second][1])
    ]
    return Decoded(faults, duplicates, next(dark))


def _file(where: str) -> str:
    """The file of a place in it, such as a line."""
    return re.sub(r":[0-9]+$", "", where)


def _equal(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> list[tuple[int, int]]:
    """The positions of equal digests in two splits: of each of the second that occurs in the first, that is not 0."""
    position = {int(digest): index for index, digest in reversed([*enumerate(first)]) if digest}
    return [(position[int(digest)], index) for index, digest in enumerate(second) if int(digest) in position]


def _digests(
    scan: Scan, reader: Reader[Any], faults: list[Fault], watch: Callable[[], None], count_dark: Callable[[], object]
) -> NDArray[np.uint64]:
    """A 64-bit hash of every image's pixels, (M,); 0 for an image that cannot be decoded, which adds to `faults`."""
    digests = np.zeros(len(reader), dtype=np.uint64)
    for index in range(len(reader)):
        watch()
        if (image := scan.look(reader, index, faults)) is not None:
            hashed = hashlib.blake2b(image.tobytes(), digest_size=8, key=str(image.shape).encode())
            digests[index] = int.from_bytes(hashed.digest(), "little")
            if is_dark(image) and scan.is_deep(reader, index):
                count_dark()
    return digests
