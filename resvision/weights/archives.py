"""Room that a file of `torch.save` takes, looked at before it is read: never more than the file has bytes.

A file of PyTorch 1.6 or later is a zip archive of a pickle and of the bytes of each tensor, stored as they are. One
that is compressed, or whose members lie over each other, can take a thousand times its size.
"""

import os
from typing import IO
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from resvision.core.errors import WeightsError
from resvision.core.files import MEGABYTE

_START = b"PK\x03\x04"
_LARGEST_PICKLE = 64 * MEGABYTE
"""Bytes of the pickle beside the tensors, which says their names and shapes."""


def require_room(file: IO[bytes]) -> None:
    """Raise WeightsError where an archive would take more memory than the file has bytes; the file is at its start.

    Files that are no archives pass, and so do damaged ones, which `torch.load` refuses itself.
    """
    is_archive = file.read(len(_START)) == _START
    file.seek(0)
    if not is_archive:
        return
    try:
        with ZipFile(file) as archive:
            members, comment = archive.infolist(), archive.comment
    except (BadZipFile, ValueError, NotImplementedError, OSError):
        members, comment = [], b""
    file.seek(0)
    if any(member.compress_type != ZIP_STORED for member in members):
        raise WeightsError("holds compressed parts, which torch.save never writes; save it anew with torch.save")
    if comment or sum(member.file_size for member in members) > os.fstat(file.fileno()).st_size:
        raise WeightsError("says that its parts are larger than the file; save it anew with torch.save")
    if any(member.filename.endswith(".pkl") and member.file_size > _LARGEST_PICKLE for member in members):
        raise WeightsError(
            f"holds more than {_LARGEST_PICKLE // MEGABYTE} MB beside its tensors; save the state dict alone"
        )
