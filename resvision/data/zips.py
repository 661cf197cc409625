"""The members of a zip file: their places by its directory, and each of them read and inflated by itself."""

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path

from resvision.core.errors import DataError, printable
from resvision.core.files import open_regular
from resvision.data.litter import is_litter
from resvision.data.members import GROWTH, NOT_A_FILE, inner_name

MARK = b"PK"
"""The first bytes of a zip file."""

LARGEST_DIRECTORY = 2**27
"""Bytes of the directory of a zip, enough for a million files; in memory it takes ten times as much for a moment."""

LEAST_GROWN = 2**26
"""The size in bytes from which on a member may not have grown `GROWTH` times."""

LEAST_PACKED = 2**16
"""Bytes that a member may take packed beyond its size; deflate adds five to every block of what it cannot shrink."""

_ENCRYPTED = 1
_LOCAL_HEADER = 30
_MS_DOS = 0


def members(path: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield name and (offset of its header, size, packed size, method, sum) of every member, folders with a slash.

    Raises DataError for a file that is no whole zip, and for one with images that are encrypted or packed otherwise.
    """
    try:
        with _Directory(path) as file, zipfile.ZipFile(file) as archive:
            entries, end = archive.infolist(), os.fstat(file.fileno()).st_size
    except (zipfile.BadZipFile, OSError, ValueError, OverflowError, NotImplementedError) as error:
        raise DataError(f"{printable(path)}: not a whole zip file ({printable(str(error))})") from None
    for entry in entries:
        shown = entry.filename
        # Windows may write its own slashes
        name = inner_name(shown.replace("\\", "/") if entry.create_system == _MS_DOS else shown, path)
        if name is None:
            continue
        if shown.endswith(("/", "\\")):
            yield f"{name}/", (0, 0, 0, 0, 0)
            continue
        if not 0 <= entry.header_offset < end or max(entry.file_size, entry.compress_size) >= 2**63:
            raise DataError(f"{printable(path)}: not a whole zip file ({printable(shown)} lies outside of it)")
        if not is_litter(os.path.basename(name), is_folder=False):  # noqa: PTH119 - no path for each of a million
            _require_readable(entry, path)
        mode = stat.S_IFMT(entry.external_attr >> 16)
        size = NOT_A_FILE if mode not in (0, stat.S_IFREG) else entry.file_size
        yield name, (entry.header_offset, size, entry.compress_size, entry.compress_type, entry.CRC)


def read_member(path: Path, place: Sequence[int], shown: str) -> bytes:
    """The content of a member by its place. Raises DataError where it is damaged, or is not as long as is stated."""
    offset, size, packed_size, method, checksum = place
    if size > LEAST_GROWN and size > GROWTH * packed_size:
        raise DataError(f"{shown}: grows to more than {GROWTH} times its size, which no image does")
    with open_regular(path) as file:  # opened anew, so that processes do not share its position
        file.seek(offset)
        header = file.read(_LOCAL_HEADER)
        if len(header) < _LOCAL_HEADER or not header.startswith(b"PK\3\4"):
            raise DataError(f"{shown}: a damaged zip file")
        name_size, extra_size = (int.from_bytes(header[start : start + 2], "little") for start in (26, 28))
        file.seek(name_size + extra_size, os.SEEK_CUR)
        packed = file.read(min(packed_size, 2 * size + LEAST_PACKED))  # what is longer is no image of this size
    try:
        stored = method == zipfile.ZIP_STORED
        # no more than one byte above what is stated comes out, however much lies in there
        content = packed if stored else zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
    except zlib.error as error:
        raise DataError(f"{shown}: damaged in its zip file ({error})") from None
    if len(content) != size or zlib.crc32(content) != checksum:
        raise DataError(f"{shown}: damaged in its zip file")
    return content


def _require_readable(entry: zipfile.ZipInfo, path: Path) -> None:
    """Raise DataError for a member that only a password or another program opens."""
    shown = printable(f"{path}/{entry.filename}")
    if entry.flag_bits & _ENCRYPTED:
        raise DataError(f"{shown}: encrypted; unpack it with its password, and name the folder")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{shown}: compressed by another way than deflate; unpack it, and name the folder")


class _Directory(FileIO):
    """A zip file of which only the directory is read: one that is larger than is allowed is refused."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes; OSError where they are more than a directory has."""
        if size is None or size < 0:  # the end, in which the directory is looked for
            size = os.fstat(self.fileno()).st_size - self.tell()
        if size > LARGEST_DIRECTORY:
            raise OSError(f"a directory of more than {LARGEST_DIRECTORY // 2**20} MB")
        return super().read(size) or b""
