"""A tar file as a folder of images, read in place: no member is ever written to disk.

A compressed tar cannot be read at random, so it is decompressed once, whole, into the cache folder. Only the
names, offsets and sizes of the members are held in memory, packed.
"""

import bz2
import gzip
import hashlib
import itertools
import lzma
import os
import shutil
import tarfile
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase, FileIO
from pathlib import Path
from typing import IO

import numpy as np

from resvision.core.drafts import draft_file, sweep
from resvision.core.errors import DataError, printable
from resvision.core.files import open_regular
from resvision.data.litter import is_litter
from resvision.data.roots import cache_root

GIGABYTE = 2**30

LARGEST_IMAGE = GIGABYTE
"""The limit of one member, in bytes."""

MOST_MEMBERS = 20_000_000
LONGEST_NAME = 2**20
"""The limits of what is held in memory of an archive; the bytes of a name are those of its header."""

GROWTH = 100
LEFT_FREE = GIGABYTE
"""A compressed archive may grow so many times, and to a gigabyte in any case, while so much of the disk stays free.

Images are compressed already, so what grows more is none of them.
"""

NOT_A_FILE = -1
"""Stands in place of the size of a member that is a link or a device."""


class PackedNames:
    """File names end to end in one array.

    Reference counts of a list would be written to in every worker, which then has a copy of its own.
    """

    def __init__(self, names: Iterable[str]) -> None:
        packed, ends = bytearray(), array("q", [0])
        for name in names:
            packed += os.fsencode(name)
            ends.append(len(packed))
        self._bytes, self._ends = bytes(packed), np.array(ends, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        return os.fsdecode(self._bytes[self._ends[index] : self._ends[index + 1]])


class Archive:
    """The members of a tar file, plain or compressed by gzip, bzip2 or xz.

    Of members of one name the last counts, as in unpacking. Raises DataError for a file that is no tar, is cut off,
    or holds a name that leads out of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():  # reading a pipe or a device would not end
            raise DataError(f"{printable(path)}: neither a folder of images nor a tar file")
        status = path.stat()
        self._file = _plain(path, f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}")
        members = dict(_members(self._file, path))
        names = sorted(members)
        self._names = PackedNames(names)
        self._extents = np.array([members[name] for name in names], dtype=np.int64).reshape(-1, 2)

    def holds_folder(self, inside: str) -> bool:
        """Whether members lie under `inside`; the root is empty text."""
        start = bisect_left(self._names, _under(inside))
        return start < len(self._names) and self._names[start].startswith(_under(inside))

    def read(self, inside: str, *, limit: int = LARGEST_IMAGE) -> bytes:
        """The content of a member of at most `limit` bytes. Raises DataError where it has more, or is no file."""
        try:
            offset, size = self._extents[self._find(inside)].tolist()
        except KeyError:
            raise DataError(f"{printable(self.path)}: holds no {printable(inside)}") from None
        if size == NOT_A_FILE:
            raise DataError(f"{printable(f'{self.path}/{inside}')}: a link or a device; pack the files themselves")
        if size > limit:
            raise DataError(f"{printable(f'{self.path}/{inside}')}: more than {limit:,} bytes, which is the limit here")
        with self._file.open("rb") as file:  # opened anew, so that processes do not share its position
            file.seek(offset)
            return file.read(size)

    def names(self, inside: str) -> Iterator[tuple[str, bool]]:
        """Yield the names directly under `inside` in order, and whether each is a folder."""
        prefix = _under(inside)
        position = bisect_left(self._names, prefix)
        while position < len(self._names) and (full := self._names[position]).startswith(prefix):
            name, slash, _ = full[len(prefix) :].partition("/")
            if name:
                yield name, bool(slash)
            # "0" follows "/" in ASCII, so the next name sorted from there does not lie under this folder
            position = bisect_left(self._names, f"{prefix}{name}0", position + 1) if slash else position + 1

    def _find(self, inside: str) -> int:
        position = bisect_left(self._names, inside)
        if position == len(self._names) or self._names[position] != inside:
            raise KeyError(inside)
        return position


@dataclass(frozen=True)
class TarPlace:
    """A file or folder inside a tar, with the methods of a Path that reading needs."""

    archive: Archive
    inside: str = ""

    def __truediv__(self, name: str) -> "TarPlace":
        return TarPlace(self.archive, f"{_under(self.inside)}{name}")

    def __str__(self) -> str:
        return f"{self.archive.path}/{self.inside}".rstrip("/")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.inside.rpartition("/")[2] or self.archive.path.name

    def is_dir(self) -> bool:
        """Whether it is a folder with something in it, or one that is a member of its own."""
        return self.archive.holds_folder(self.inside)

    def read_bytes(self, limit: int = LARGEST_IMAGE) -> bytes:
        """The content of the file. Raises DataError where it has more than `limit` bytes, or cannot be read."""
        return self.archive.read(self.inside, limit=limit)


def open_tar(path: Path) -> TarPlace:
    """Open the folder that was packed: the root of the tar, or the only folder in it. Raises DataError."""
    root = TarPlace(Archive(path))
    names = [*root.archive.names("")]
    if not names:
        raise DataError(f"{printable(path)}: an empty tar")
    visible = [name for name in names if not is_litter(name[0], is_folder=name[1])]
    # A lone folder is the data set itself, packed by its name; a lone `train` is a part of one.
    if len(visible) == 1 and visible[0][1] and visible[0][0] != "train":
        return root / visible[0][0]
    return root


def _members(file: Path, shown: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield name and (offset, size) of every member, folders with a slash at their end."""
    try:
        with _Headers(file) as headers, tarfile.open(fileobj=headers, mode="r:") as tar:
            for count in itertools.count(1):
                member = tar.next()
                if member is None:
                    break
                if count > MOST_MEMBERS:
                    raise DataError(f"{printable(shown)}: more than {MOST_MEMBERS:,} files, which is the limit here")
                tar.members = []  # type: ignore[attr-defined]  # it would keep all of them
                name = os.path.normpath(member.name)
                if name.startswith(("/", "..")):
                    raise DataError(f"{printable(shown)}: holds {printable(member.name)}, which leads out of it")
                if name == ".":
                    continue
                if member.isdir():
                    yield f"{name}/", (0, 0)
                else:
                    plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
                    yield name, (member.offset_data, member.size if plain else NOT_A_FILE)
            # tarfile takes a last member whose content is cut off for a whole one
            whole = tar.offset <= file.stat().st_size
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise DataError(f"{printable(shown)}: neither a folder of images nor a whole tar file ({error})") from None
    if not whole:
        raise DataError(f"{printable(shown)}: a tar file that is cut off")


def _plain(path: Path, identity: str) -> Path:
    """The tar itself, or its decompressed copy in the cache folder."""
    stream = _decompressed(path)
    if stream is None:
        return path
    digest = hashlib.blake2b(os.fsencode(identity), digest_size=16).hexdigest()
    copy = cache_root() / "tars" / f"{digest}.tar"
    if copy.is_file():
        return copy
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        sweep(copy.parent, ours=True)
        with stream, draft_file(copy) as file:
            _copy(stream, file, limit=max(GIGABYTE, GROWTH * path.stat().st_size), path=path, place=copy.parent)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise DataError(f"{printable(path)}: a damaged or cut off archive ({error})") from None
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be decompressed into {copy.parent} ({error})") from None
    return copy


def _copy(stream: BufferedIOBase, file: IO[bytes], *, limit: int, path: Path, place: Path) -> None:
    """Decompress into a file; DataError where that grows beyond `limit` bytes, or would fill the disk."""
    written = 0
    while piece := stream.read(2**22):
        written += len(piece)
        if written > limit:
            what = f"decompresses to more than {limit // 2**20:,} MB, {GROWTH} times its size"
            raise DataError(f"{printable(path)}: {what}; unpack it yourself, and name the folder")
        if shutil.disk_usage(place).free < LEFT_FREE:
            raise DataError(f"{printable(path)}: cannot be decompressed into {place}: less than 1 GB would stay")
        file.write(piece)


class _Headers(FileIO):
    """A tar file of which only headers are read: one that says it is longer than a name can be is refused."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes; tarfile.ReadError where they are more than a header has."""
        if size is None or not 0 <= size <= LONGEST_NAME:
            raise tarfile.ReadError("a header of more than 1 MB")
        return super().read(size) or b""


def _decompressed(path: Path) -> BufferedIOBase | None:
    """A decompressing stream of the file, chosen by its first bytes; None where it is not compressed."""
    try:
        with open_regular(path) as file:
            start = file.read(6)
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be read ({error.strerror})") from None
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(path)
    if start.startswith(b"BZh"):
        return bz2.open(path)
    if start == b"\xfd7zXZ\0":
        return lzma.open(path)
    return None


def _under(inside: str) -> str:
    return f"{inside}/" if inside else ""
