"""The files that a prediction is asked for: those that are named, and all in folders and below."""

import os
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePath

from resvision.core.errors import DataError, printable
from resvision.data.litter import SHOWN, is_litter, note_of
from resvision.data.packed_names import PackedNames
from resvision.data.places import folder_entries

Identity = tuple[int, int]
"""Device and inode, by which the system tells one file or folder from another."""


class ImageFiles:
    """Paths of image files in the order in which they are predicted, packed: a list of a million takes 300 MB."""

    def __init__(self, paths: Iterable[str], litter: "_Litter | None" = None) -> None:
        self._paths = PackedNames(paths)
        self.notes = [] if litter is None else note_of(litter.first, number=litter.number)
        """A line that counts the files and folders that were left out by their names; none where there were none."""

    @classmethod
    def of(cls, paths: Iterable[Path], *, endings: Collection[str] = ()) -> "ImageFiles":
        """The files of paths: each itself, or all in the folder and below, litter left out (`data.litter`).

        endings  of files that are no litter, such as `.xml`, where a task reads others than images

        Files are not checked here: decoding tells whether one is an image. Raises DataError where there is no file, and
        for a folder that cannot be listed.
        """
        litter = _Litter(endings)
        return cls((file for path in paths for file in _files_of(path, litter)), litter)

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[Path]:
        return (Path(self._paths[index]) for index in range(len(self)))


def require_there(paths: Iterable[Path]) -> None:
    """Raise DataError for a path that names nothing."""
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise DataError(f"{printable(path)}: no such file or folder")


class _Litter:
    """The number of files and folders that were left out by name, and the first of them."""

    def __init__(self, kept: Collection[str] = ()) -> None:
        self._kept = frozenset(kept)
        self.number = 0
        self.first: list[str] = []

    def holds(self, name: str, *, is_folder: bool) -> bool:
        """Whether a file or a folder is left out."""
        kept = not is_folder and not name.startswith(".") and PurePath(name).suffix.casefold() in self._kept
        return not kept and is_litter(name, is_folder=is_folder)

    def add(self, path: str) -> None:
        """Count one."""
        self.number += 1
        if len(self.first) < SHOWN:
            self.first.append(path)


def _files_of(path: Path, litter: _Litter) -> Iterator[str]:
    require_there([path])
    if not path.is_dir():
        yield str(path)
        return
    none_yet = True
    for file in _files_below(path, litter):
        none_yet = False
        yield file
    if none_yet:
        raise DataError(f"{printable(path)}: no files in this folder")


class _Listing:
    """The entries of a folder but its litter, handed out in order of name; those handed out are no longer held."""

    def __init__(self, folder: str, litter: _Litter) -> None:
        self._folder = folder
        self._folders: set[str] = set()
        names: list[str] = []
        try:
            for name, is_folder in folder_entries(folder):
                if litter.holds(name, is_folder=is_folder):
                    litter.add(os.path.join(folder, name))  # noqa: PTH118 - no path for each of a million
                else:
                    names.append(name)
                    self._folders.update([name] if is_folder else [])
        except OSError as error:
            raise DataError(f"{printable(folder)}: cannot be listed ({error.strerror})") from None
        self._names = sorted(names, reverse=True)

    def next(self) -> tuple[str, bool] | None:
        """The next path, and whether it is a folder or a link to one; None at the end."""
        if not self._names:
            return None
        name = self._names.pop()
        return os.path.join(self._folder, name), name in self._folders  # noqa: PTH118 - no path for each of a million


def _files_below(folder: Path, litter: _Litter) -> Iterator[str]:
    """Yield the files in a folder and below, in order of name.

    A link to a folder is followed, unless it leads to a folder that holds the link, which would not end. Each link is
    followed once, so that links to folders of links do not multiply.
    """
    followed: set[Identity] = set()
    pending = [_Listing(str(folder), litter)]
    open_folders = [*(_identity(str(place)) for place in folder.resolve().parents), _identity(str(folder))]
    while pending:
        entry = pending[-1].next()
        if entry is None:
            pending.pop()
            open_folders.pop()
            continue
        path, is_folder = entry
        if not is_folder:
            yield path
        elif (inner := _identity(path)) not in open_folders and _is_new(path, followed):
            pending.append(_Listing(path, litter))
            open_folders.append(inner)


def _is_new(path: str, followed: set[Identity]) -> bool:
    """Whether a path is a folder itself, or a link that was not followed before."""
    status = os.lstat(path)
    link = status.st_dev, status.st_ino
    if not stat.S_ISLNK(status.st_mode):
        return True
    if link in followed:
        return False
    followed.add(link)
    return True


def _identity(folder: str) -> Identity:
    status = os.stat(folder)  # noqa: PTH116 - no path is made for it
    return status.st_dev, status.st_ino
