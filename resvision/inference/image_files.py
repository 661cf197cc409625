"""The files that a prediction is asked for: those that are named, and all in folders and below."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from resvision.core.errors import DataError, printable
from resvision.data.tars import PackedNames

Identity = tuple[int, int]
"""Device and inode, by which the system tells one file or folder from another."""


class ImageFiles:
    """Paths of image files in the order in which they are predicted, packed: a list of a million takes 300 MB."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = PackedNames(paths)

    @classmethod
    def of(cls, paths: Iterable[Path]) -> "ImageFiles":
        """The files of paths: each itself, or all in the folder and below, hidden ones left out.

        Files are not checked here: decoding tells whether one is an image. Raises DataError where there is no file, and
        for a folder that cannot be listed.
        """
        return cls(file for path in paths for file in _files_of(path))

    def __len__(self) -> int:
        return len(self._paths)

    def __iter__(self) -> Iterator[Path]:
        return (Path(self._paths[index]) for index in range(len(self)))


def _files_of(path: Path) -> Iterator[str]:
    if not path.exists() and not path.is_symlink():
        raise DataError(f"{printable(path)}: no such file or folder")
    if not path.is_dir():
        yield str(path)
        return
    none_yet = True
    for file in _files_below(path):
        none_yet = False
        yield file
    if none_yet:
        raise DataError(f"{printable(path)}: no files in this folder")


def _files_below(folder: Path) -> Iterator[str]:
    """Yield the files in a folder and below, in order of name.

    A link to a folder is followed, unless it leads to a folder that holds the link, which would not end. Each link is
    followed once, so that links to folders of links do not multiply.
    """
    followed: set[Identity] = set()
    above = [_identity(str(place)) for place in folder.resolve().parents]
    pending = [_listed(str(folder))]
    open_folders = [*above, _identity(str(folder))]
    while pending:
        entry = next(pending[-1], None)
        if entry is None:
            pending.pop()
            open_folders.pop()
        elif not _is_folder(entry):
            yield entry.path
        elif (inner := _identity(entry.path)) not in open_folders and _is_new(entry, followed):
            pending.append(_listed(entry.path))
            open_folders.append(inner)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()  # noqa: PTH112 - False for link loops


def _is_new(entry: "os.DirEntry[str]", followed: set[Identity]) -> bool:
    """Whether an entry is a folder, or a link that was not followed before."""
    if not entry.is_symlink():
        return True
    status = entry.stat(follow_symlinks=False)
    link = status.st_dev, status.st_ino
    if link in followed:
        return False
    followed.add(link)
    return True


def _listed(folder: str) -> Iterator["os.DirEntry[str]"]:
    """The entries of a folder in order of name, without hidden ones. Raises DataError."""
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(f"{printable(folder)}: cannot be listed ({error.strerror})") from None
    return iter(sorted(visible, key=lambda entry: entry.name))


def _identity(folder: str) -> Identity:
    status = os.stat(folder)  # noqa: PTH116 - no path is made for it
    return status.st_dev, status.st_ino
