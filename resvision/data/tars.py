"""A tar file as a folder of images, read in place: no member is ever written to disk.

A compressed tar cannot be read at random, so it is decompressed once, whole, into the cache folder. Only the
names, offsets and sizes of the members are held in memory, packed.
"""

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import tarfile
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from resvision.core.errors import DataError, printable
from resvision.data.litter import is_litter
from resvision.data.roots import cache_root

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

    def read(self, inside: str) -> bytes:
        """The content of a member. Raises DataError where it is none or is cut off."""
        try:
            offset, size = self._extents[self._find(inside)].tolist()
        except KeyError:
            raise DataError(f"{printable(self.path)}: holds no {printable(inside)}") from None
        if size == NOT_A_FILE:
            raise DataError(f"{printable(f'{self.path}/{inside}')}: a link or a device; pack the files themselves")
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

    def read_bytes(self) -> bytes:
        """The content of the file."""
        return self.archive.read(self.inside)


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
        with tarfile.open(file, "r:") as tar:
            for member in tar:
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
    except (tarfile.TarError, OSError, ValueError) as error:
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
    draft = copy.with_suffix(f".{os.getpid()}")  # of this process: another may decompress the same tar
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        with stream, draft.open("wb") as file:
            shutil.copyfileobj(stream, file, 2**20)
        draft.replace(copy)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise DataError(f"{printable(path)}: a damaged or cut off archive ({error})") from None
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be decompressed into {copy.parent} ({error})") from None
    finally:
        draft.unlink(missing_ok=True)
    return copy


def _decompressed(path: Path) -> BufferedIOBase | None:
    """A decompressing stream of the file, chosen by its first bytes; None where it is not compressed."""
    try:
        with path.open("rb") as file:
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
