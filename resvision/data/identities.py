"""The identities of a run's images, by which a later evaluation tells the images that the run was trained on.

A set may grow, move, be linked or copied after a run has begun. So the run keeps two numbers for each image: a hash of
its name within the set, and one of its content. Of a large file the size and three pieces are hashed, so that a
million files are soon done.

Glossary
    N         images of a split
    names     (N,) uint64, hashes of the images' paths within their set
    contents  (N,) uint64, hashes of the images as they are stored; UNKNOWN for one that is neither a file nor in memory
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from resvision.core import rundir
from resvision.core.errors import DataError, RunError, printable
from resvision.core.files import MEGABYTE, read_whole
from resvision.core.samples import Reader
from resvision.core.tensor_files import tensor_bytes
from resvision.data.excerpts import excerpt
from resvision.data.selection import Selection
from resvision.data.splits import Splits

Hashes = NDArray[np.uint64]

UNKNOWN = 0
"""Stands in place of the hash of a content that cannot be had without decoding."""

SAMPLED = 1000
"""The number of training images, about, by which a run's own set is known at another place."""

LIMIT = 512 * MEGABYTE
"""The limit of a run's file of identities: 32 million images."""


class Identities(NamedTuple):
    """The names and contents of the images of one split."""

    names: Hashes
    contents: Hashes


class Overlap(NamedTuple):
    """The images of an evaluation that a run knew before: whether each is one of them, (N,).

    trained    those that the run was trained on
    validated  those that chose the run's weights
    """

    trained: NDArray[np.bool_]
    validated: NDArray[np.bool_]

    def union(self, other: "Overlap") -> "Overlap":
        """The images that one of two runs knew."""
        return Overlap(self.trained | other.trained, self.validated | other.validated)


class ScoredImages(NamedTuple):
    """The images of an evaluation.

    new      images of the set that came after the run had begun
    gone     test images of the run that the set no longer holds
    moved    whether the set is the run's own at another place, of which the run's own test images are scored
    altered  whether the set is another one though it has the names of the run's images, whose contents differ
    notes    what a person should know of the files of a set that was named
    """

    reader: Reader[Any]
    new: int = 0
    gone: int = 0
    moved: bool = False
    altered: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunImages:
    """The images of a run's training and validation, and the names of its test images and of those not used."""

    train: Identities
    validation: Identities
    test_names: Hashes
    unused_names: Hashes = field(default_factory=lambda: np.empty(0, dtype=np.uint64))

    def overlap_with(self, reader: Reader[Any]) -> Overlap:
        """The images of a reader that the run knew.

        They are told by their contents; by their names where the content of one of the two is not known.
        """
        images = identities_of(reader)
        return Overlap(among(images, self.train), among(images, self.validation))

    def is_set_of(self, readers: Sequence[Reader[Any]]) -> bool:
        """Whether the readers of a set hold half of the training images or more, by name and content.

        It is then the run's own set at another place, grown or copied. No more than some thousand images are looked at.
        """
        sample = self._sample()
        there: set[int] = set()
        for reader in readers:
            names = name_hashes(reader)
            indices = np.flatnonzero(np.isin(names, sample.names))
            contents = _hashes(_content(reader, index) for index in indices.tolist())
            known = contents != UNKNOWN
            there.update(_paired(Identities(names[indices][known], contents[known])).tolist())
        return 2 * len(there & {*_paired(sample).tolist()}) >= len(sample.names) > 0

    def names_in(self, readers: Sequence[Reader[Any]]) -> bool:
        """Whether the readers of a set hold images of the names of half of the training images or more."""
        names = self._sample().names
        present = np.isin(names, np.concatenate([name_hashes(reader) for reader in readers])).sum()
        return bool(2 * present >= len(names) > 0)

    def missing_from(self, splits: Splits) -> int:
        """The number of the run's images, of all splits, whose names a set does not hold."""
        there = np.concatenate([name_hashes(reader) for reader in splits.readers])
        return int((~np.isin(np.concatenate([self.train.names, self.validation.names, self.test_names]), there)).sum())

    def altered_in(self, splits: Splits) -> int:
        """The number of images of training and validation that have other contents in a set of the same order."""
        own = [self.train, self.validation]
        readers = [splits.train, *([splits.validation] if splits.validation is not None else [])]
        pairs = [(kept.contents, content_hashes(reader)) for kept, reader in zip(own, readers, strict=False)]
        return sum(int(((kept != there) & (kept != UNKNOWN) & (there != UNKNOWN)).sum()) for kept, there in pairs)

    def _sample(self) -> Identities:
        """Some thousand of the training images, or all of fewer."""
        step = max(1, len(self.train.names) // SAMPLED)
        return Identities(self.train.names[::step], self.train.contents[::step])

    def own_test(self, splits: Splits) -> ScoredImages:
        """The run's own test images among those of its set, which may have grown or lost some since.

        Where the set itself says which images are for testing, they are those; where they were split off, the run's
        own by name, in their order. Raises DataError where none of these is left.
        """
        readers = splits.readers
        test_names = name_hashes(splits.test)
        if np.array_equal(test_names, self.test_names):
            return ScoredImages(splits.test)
        others = [name_hashes(reader) for reader in readers if reader is not splits.test]
        elsewhere = np.concatenate(others) if others else test_names[:0]
        known = np.concatenate([self.train.names, self.validation.names])
        split_off = np.isin(test_names, known).any() or np.isin(self.test_names, elsewhere).any()
        if not split_off:
            new = int((~np.isin(test_names, self.test_names)).sum())
            return ScoredImages(splits.test, new, int((~np.isin(self.test_names, test_names)).sum()))
        return self._by_name(splits)

    def _by_name(self, splits: Splits) -> ScoredImages:
        """The run's test images by name, from whichever split of the set holds each."""
        readers = splits.readers
        names = [name_hashes(reader) for reader in readers]
        place_of = {
            name: (number, index)
            for number, hashes in reversed([*enumerate(names)])
            for index, name in enumerate(hashes.tolist())
        }
        places = [place_of[name] for name in self.test_names.tolist() if name in place_of]
        if not places:
            raise DataError(
                f"{printable(splits.test.name)}: holds none of the run's {len(self.test_names):,} test images any"
                " longer; name images to test on with --data"
            )
        known = np.concatenate([self.train.names, self.validation.names, self.test_names, self.unused_names])
        new = int((~np.isin(np.array([*place_of], dtype=np.uint64), known)).sum())
        which, indices = np.array(places, dtype=np.int64).T
        selection = Selection(splits.test, readers, which, indices)
        return ScoredImages(selection, new, len(self.test_names) - len(places))


# Identities of a set's images ----------------------------------------------------------------------------------------


def identify(splits: Splits) -> RunImages:
    """The identities of a run's images, from its splits with the images held out for validation."""
    none = np.empty(0, dtype=np.uint64)
    validation = Identities(none, none) if splits.validation is None else identities_of(splits.validation)
    unused = none if splits.unused is None else name_hashes(splits.unused)
    return RunImages(identities_of(splits.train), validation, name_hashes(splits.test), unused)


def identities_of(reader: Reader[Any]) -> Identities:
    """The identities of a reader's images."""
    return Identities(name_hashes(reader), content_hashes(reader))


def name_hashes(reader: Reader[Any]) -> Hashes:
    """Hashes of the images' names within their set, (N,): of paths below its folder, or the last three parts."""
    names = (name_in_set(reader, index) for index in range(len(reader)))
    return _hashes(name.encode(errors="surrogateescape") for name in names)


def name_in_set(reader: Reader[Any], index: int) -> str:
    """The name of an image within its set: its path below the set's folder, or the last three parts of it.

    A named set may lie anywhere: three parts are a split, a class or town, and a file.
    """
    source, home = reader.source(index), f"{reader.name}{os.sep}"
    return source.removeprefix(home) if source.startswith(home) else "/".join(Path(source).parts[-3:])


def content_hashes(reader: Reader[Any]) -> Hashes:
    """Hashes of the images as they are stored, (N,)."""
    return _hashes(_content(reader, index) for index in range(len(reader)))


def _content(reader: Reader[Any], index: int) -> bytes | None:
    content = reader.content(index)
    return excerpt(Path(reader.source(index))) if content is None else content


def _hashes(contents: Iterable[bytes | None]) -> Hashes:
    """Hashes of byte strings, (N,); UNKNOWN for None."""
    digests = (bytes(8) if content is None else blake2b(content, digest_size=8).digest() for content in contents)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _paired(images: Identities) -> Hashes:
    """One number for the name and the content of each image, (N,)."""
    return images.names * np.uint64(0x9E3779B97F4A7C15) ^ images.contents


def among(images: Identities, known: Identities) -> NDArray[np.bool_]:
    """Whether each image is among those known, (N,)."""
    by_content = np.isin(images.contents, known.contents[known.contents != UNKNOWN])
    # where the content of one of the two is not known, names are all there is to compare
    unclear = (images.contents == UNKNOWN) | np.isin(images.names, known.names[known.contents == UNKNOWN])
    same: NDArray[np.bool_] = by_content | (np.isin(images.names, known.names) & unclear)
    return same


# The file in the run directory ---------------------------------------------------------------------------------------


def write(folder: Path, images: RunImages) -> None:
    """Keep the identities in a run directory; RunError where that fails."""
    tensors = {
        "train.names": images.train.names,
        "train.contents": images.train.contents,
        "validation.names": images.validation.names,
        "validation.contents": images.validation.contents,
        "test.names": images.test_names,
        **({"unused.names": images.unused_names} if len(images.unused_names) else {}),
    }
    rundir.write_bytes(folder / rundir.IMAGES, tensor_bytes(tensors))


def read(folder: Path) -> RunImages | None:
    """The identities in a run directory; None where it has none, as older ones. RunError for a damaged file."""
    path = folder / rundir.IMAGES
    try:
        tensors = load(read_whole(path, LIMIT))
        hashes = [_column(tensors, f"{split}.{part}") for split in ("train", "validation") for part in _PARTS]
        unused = _column(tensors, "unused.names") if "unused.names" in tensors else hashes[0][:0]
        images = RunImages(Identities(*hashes[:2]), Identities(*hashes[2:]), _column(tensors, "test.names"), unused)
        if any(len(names) != len(contents) for names, contents in (images.train, images.validation)):
            raise ValueError("names and contents are not of equal number")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{path}: damaged ({printable(str(error))}); without the file the run is evaluated as it was before"
        ) from None
    return images


_PARTS = ("names", "contents")


def _column(tensors: dict[str, NDArray[Any]], name: str) -> Hashes:
    column = tensors[name]
    if column.dtype != np.uint64 or column.ndim != 1:
        raise ValueError(f"{name} is {column.dtype} of {column.shape}")
    return column
