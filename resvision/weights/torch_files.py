"""Room and time that a file of `torch.save` takes, looked at before it is read: little more than its bytes are worth.

Since PyTorch 1.6 a file is a zip archive of a pickle and of the bytes of each tensor, stored as they are; older ones
are five pickles and then the tensors. Members that are compressed or lie over each other can take a thousand times the
size of the file, and so can pickles, by a number that says how much room to make, or by keys that take years to hash.
"""

import os
from io import BufferedReader
from zipfile import ZIP_STORED, ZipFile

from resvision.core.errors import DataError, WeightsError
from resvision.core.files import MEGABYTE
from resvision.data.pickles import Outline

_ARCHIVE = b"PK\x03\x04"
_PICKLE = b"\x80"
_OLD_PICKLES = 5
"""A magic number, the version, the system, the values, and the order of the tensors."""
_LARGEST_PICKLE = 16 * MEGABYTE
"""Bytes; names and shapes of a thousand tensors take a tenth of one megabyte."""


def require_room(file: BufferedReader) -> None:
    """Raise WeightsError where a file would take much more memory than it has bytes; it is at its start, and stays so.

    What is neither an archive nor a pickle passes, since `torch.load` refuses it itself. Raises other errors for
    damaged files.
    """
    start = file.read(len(_ARCHIVE))
    file.seek(0)
    try:
        if start == _ARCHIVE:
            _require_small_archive(file)
        elif start.startswith(_PICKLE):
            for _ in range(_OLD_PICKLES):
                Outline(file).load()
    except DataError as error:
        raise WeightsError(f"{error}; save the state dict alone") from None
    file.seek(0)


def require_as_large(file_bytes: int, *, storages: int, tensors: int) -> None:
    """Raise WeightsError where tensors have more bytes than their file: in memory of their own, or as they share it."""
    if storages > file_bytes or tensors > 4 * file_bytes:
        raise WeightsError("its tensors claim more numbers than the file holds")


def _require_small_archive(file: BufferedReader) -> None:
    with ZipFile(file) as archive:
        members = archive.infolist()
        if any(member.compress_type != ZIP_STORED for member in members):
            raise WeightsError("holds compressed parts, which torch.save never writes; save it anew with torch.save")
        # with a comment, two readers might take different ends of the file for the list of its members
        if archive.comment or sum(member.file_size for member in members) > os.fstat(file.fileno()).st_size:
            raise WeightsError("says that its parts are larger than the file; save it anew with torch.save")
        for member in members:
            if member.filename.endswith("data.pkl"):
                if member.file_size > _LARGEST_PICKLE:
                    megabytes = _LARGEST_PICKLE // MEGABYTE
                    raise WeightsError(f"holds more than {megabytes} MB beside its tensors; save the state dict alone")
                with archive.open(member) as pickle:
                    Outline(pickle).load()
