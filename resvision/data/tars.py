"""The members of a tar file, plain or compressed by gzip, bzip2 or xz, and the places of their contents in it."""

import bz2
import gzip
import hashlib
import itertools
import lzma
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from io import BufferedIOBase, FileIO
from pathlib import Path
from typing import IO

from resvision.core.drafts import draft_file, sweep
from resvision.core.errors import DataError, printable
from resvision.core.files import open_regular
from resvision.data.members import GROWTH, MOST_MEMBERS, NOT_A_FILE, inner_name
from resvision.data.roots import cache_root

GIGABYTE = 2**30

LONGEST_NAME = 2**20
"""The limit of a name that is held in memory, in bytes of its header."""

LEFT_FREE = GIGABYTE
"""A compressed archive may grow to a gigabyte in any case, while so much of the disk stays free."""


def members(file: Path, shown: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
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
                name = inner_name(member.name, shown)
                if name is None:
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


def read_member(path: Path, place: Sequence[int]) -> bytes:
    """The content of a member by its place."""
    offset, size = place
    with open_regular(path) as file:  # opened anew, so that processes do not share its position
        file.seek(offset)
        return file.read(size)


def plain(path: Path, identity: str) -> Path:
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
