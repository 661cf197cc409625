"""Files of a run that grow while it is trained, and are cut back to its checkpoint when it goes on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from resvision.core import rundir
from resvision.core.drafts import draft_file
from resvision.core.files import open_to_grow


class GrowingFile:
    """A file that only grows, without a buffer, so that a write that fails raises where it is made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = open_to_grow(path)
        except OSError as error:
            raise rundir.unwritable(path, error) from None

    def write(self, data: bytes) -> None:
        """Append bytes, which are on their way to disk when this returns; RunError where it takes no more."""
        try:
            while data:  # a disk that fills up takes the first part
                data = data[self._file.write(data) :]
        except OSError as error:
            raise rundir.unwritable(self._path, error) from None

    def sync(self) -> None:
        """Force what was appended to disk."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise rundir.unwritable(self._path, error) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def written_anew(path: Path) -> Iterator[IO[bytes]]:
    """A file to fill, which then takes the place of the old one; RunError where that fails."""
    try:
        with draft_file(path) as file:
            yield file
    except OSError as error:
        raise rundir.unwritable(path, error) from None
