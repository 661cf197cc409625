"""A tar or zip file as a folder of images, read in place: no member is ever written to disk.

Only the names and the places of the members are held in memory, packed. A compressed tar cannot be read at random, so
it is decompressed once, whole, into the cache folder; a member of a zip is inflated whenever it is read.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from resvision.core.errors import DataError, printable
from resvision.core.files import open_regular
from resvision.data import tars, zips
from resvision.data.litter import is_litter
from resvision.data.members import NOT_A_FILE
from resvision.data.packed_names import PackedNames

LARGEST_IMAGE = 2**30
"""The limit of one member, in bytes."""


class Archive:
    """The members of a zip file, or of a tar, plain or compressed by gzip, bzip2 or xz.

    Of members of one name the last counts, as in unpacking. Raises DataError for a file that is neither, is cut off, is
    encrypted, or holds a name that leads out of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():  # reading a pipe or a device would not end
            raise DataError(f"{printable(path)}: neither a folder of images nor a tar or zip file")
        self._zipped = _is_zip(path)
        if self._zipped:
            self._file, members = path, dict(zips.members(path))
        else:
            status = path.stat()
            self._file = tars.plain(path, f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}")
            members = dict(tars.members(self._file, path))
        names = sorted(members)
        self._names = PackedNames(names)
        columns = len(next(iter(members.values()), ()))
        self._places = np.array([members[name] for name in names], dtype=np.int64).reshape(len(names), columns)

    def holds_folder(self, inside: str) -> bool:
        """Whether members lie under `inside`; the root is empty text."""
        start = bisect_left(self._names, _under(inside))
        return start < len(self._names) and self._names[start].startswith(_under(inside))

    def holds_file(self, inside: str) -> bool:
        """Whether a member that is no folder has this name."""
        position = bisect_left(self._names, inside)
        return position < len(self._names) and self._names[position] == inside

    def read(self, inside: str, *, limit: int = LARGEST_IMAGE) -> bytes:
        """The content of a member of at most `limit` bytes. Raises DataError where it has more, or is no file."""
        try:
            place = self._places[self._find(inside)].tolist()
        except KeyError:
            raise DataError(f"{printable(self.path)}: holds no {printable(inside)}") from None
        shown, size = printable(f"{self.path}/{inside}"), place[1]
        if size == NOT_A_FILE:
            raise DataError(f"{shown}: a link or a device; pack the files themselves")
        if size > limit:
            raise DataError(f"{shown}: more than {limit:,} bytes, which is the limit here")
        try:
            return zips.read_member(self._file, place, shown) if self._zipped else tars.read_member(self._file, place)
        except OSError as error:  # the archive has gone, or become something else
            raise DataError(f"{shown}: cannot be read ({error.strerror})") from None

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
class ArchivePlace:
    """A file or folder inside an archive, with the methods of a Path that reading needs."""

    archive: Archive
    inside: str = ""

    def __truediv__(self, name: str) -> "ArchivePlace":
        return ArchivePlace(self.archive, f"{_under(self.inside)}{name}")

    def __str__(self) -> str:
        return f"{self.archive.path}/{self.inside}".rstrip("/")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.inside.rpartition("/")[2] or self.archive.path.name

    def is_dir(self) -> bool:
        """Whether it is a folder with something in it, or one that is a member of its own."""
        return self.archive.holds_folder(self.inside)

    def is_file(self) -> bool:
        """Whether it is a member that is no folder."""
        return self.archive.holds_file(self.inside)

    def read_bytes(self, limit: int = LARGEST_IMAGE) -> bytes:
        """The content of the file. Raises DataError where it has more than `limit` bytes, or cannot be read."""
        return self.archive.read(self.inside, limit=limit)


def open_archive(path: Path) -> ArchivePlace:
    """Open the folder that was packed: the root of the archive, or the only folder in it. Raises DataError."""
    root = ArchivePlace(Archive(path))
    names = [*root.archive.names("")]
    if not names:
        raise DataError(f"{printable(path)}: an empty archive")
    visible = [name for name in names if not is_litter(name[0], is_folder=name[1])]
    # A lone folder is the data set itself, packed by its name; a lone `train` is a part of one.
    if len(visible) == 1 and visible[0][1] and visible[0][0] != "train":
        return root / visible[0][0]
    return root


def _is_zip(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return file.read(2) == zips.MARK
    except OSError as error:
        raise DataError(f"{printable(path)}: cannot be read ({error.strerror})") from None


def _under(inside: str) -> str:
    return f"{inside}/" if inside else ""
