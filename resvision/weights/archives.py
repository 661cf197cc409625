"""Room that a file of `torch.save` takes, looked at before it is read: never much more than the file has bytes.

Since PyTorch 1.6 a file is a zip archive of a pickle and of the bytes of each tensor, stored as they are; older ones
are five pickles and then the tensors. Members that are compressed or lie over each other can take a thousand times the
size of the file, and so can pickles, by objects of one byte each or by a number that says how much room to make.
"""

import os
import pickletools
from contextlib import suppress
from io import BufferedReader
from mmap import ACCESS_READ, mmap
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from resvision.core.errors import WeightsError
from resvision.core.files import MEGABYTE

_ARCHIVE = b"PK\x03\x04"
_PICKLE = b"\x80"
_OLD_PICKLES = 5
"""A magic number, the version, the system, the values, and the order of the tensors."""
_LARGEST_PICKLE = 4 * MEGABYTE
"""Bytes; names and shapes of a thousand tensors take a tenth of one."""
_MAKES_ROOM = b"bytearray"
"""The one type that torch.load lets a pickle make, filled with zeros, as large as it likes."""


def require_room(file: BufferedReader) -> None:
    """Raise WeightsError where a file would take much more memory than it has bytes; it is at its start, and stays so.

    Damaged files pass, which `torch.load` refuses itself.
    """
    start = file.read(len(_ARCHIVE))
    file.seek(0)
    if start == _ARCHIVE:
        _require_stored_members(file)
    elif start.startswith(_PICKLE):
        _require_short_pickles(file)
    if start:
        with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            if content.find(_MAKES_ROOM) >= 0:
                raise WeightsError(f"holds a {_MAKES_ROOM.decode()}, which is no tensor; save the state dict alone")
    file.seek(0)


def require_as_large(file_bytes: int, *, storages: int, tensors: int) -> None:
    """Raise WeightsError where tensors have more bytes than their file: in memory of their own, or as they share it."""
    if storages > file_bytes or tensors > 4 * file_bytes:
        raise WeightsError("its tensors claim more numbers than the file holds")


def _require_stored_members(file: BufferedReader) -> None:
    try:
        with ZipFile(file) as archive:
            members, comment = archive.infolist(), archive.comment
    except (BadZipFile, ValueError, NotImplementedError, OSError):
        return
    if any(member.compress_type != ZIP_STORED for member in members):
        raise WeightsError("holds compressed parts, which torch.save never writes; save it anew with torch.save")
    # with a comment, two readers might take different ends of the file for the list of its members
    if comment or sum(member.file_size for member in members) > os.fstat(file.fileno()).st_size:
        raise WeightsError("says that its parts are larger than the file; save it anew with torch.save")
    if any(member.filename.endswith(".pkl") and member.file_size > _LARGEST_PICKLE for member in members):
        raise _too_much()


def _require_short_pickles(file: BufferedReader) -> None:
    with suppress(ValueError):  # of what is no pickle
        for _ in range(_OLD_PICKLES):
            start = file.tell()
            for _, _, position in pickletools.genops(file):
                if (position or 0) - start > _LARGEST_PICKLE:
                    raise _too_much()


def _too_much() -> WeightsError:
    return WeightsError(
        f"holds more than {_LARGEST_PICKLE // MEGABYTE} MB beside its tensors; save the state dict alone"
    )
