"""Files and folders of a data set, on disk or inside a tar."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from resvision.core.errors import DataError, printable
from resvision.core.files import open_regular, read_whole
from resvision.data.archives import ArchivePlace, open_archive

T = TypeVar("T")

TABLES = {".csv", ".tsv", ".txt", ".jsonl", ".ndjson"}
"""The endings of tables that list images."""

DESCRIPTIONS = {".json", ".yaml", ".yml"}
"""The endings of files that describe a set of images with boxes."""

RECORDINGS = {".xml", ".parquet"}
"""The endings of other files that are a data set by themselves."""

BYTE_ORDER_MARK = "\ufeff"
"""Windows editors put it in front of a text."""

Place = Path | ArchivePlace
"""The location of a file or a folder: on disk, or inside a tar."""


def at(path: Path) -> Place:
    """The data that a path names: a folder, archive, table, description or recording. DataError for other files."""
    named = path.suffix.casefold() in TABLES | DESCRIPTIONS | RECORDINGS and path.is_file()
    return path if named or path.is_dir() else open_archive(path)


def read_image(decoder: Callable[..., T], place: Place) -> T:
    """Read an image file by `decoder`: from its path, or from its bytes where it lies inside a tar."""
    return decoder(place) if isinstance(place, Path) else decoder(place.read_bytes(), name=str(place))


def joined(folder: Place, name: str) -> str:
    """The path of a file below a folder as text, as `str(folder / name)` gives it, in a tenth of the time."""
    home = str(folder)
    return name if home == "." else f"{home.rstrip('/')}/{name}"


def beside(place: Place, name: str) -> Place:
    """The place of another file in the folder of a file."""
    if isinstance(place, Path):
        return place.with_name(name)
    return ArchivePlace(place.archive, f"{place.inside[: -len(place.name)]}{name}")


def exists(place: Place) -> bool:
    """Whether a file or a folder is there; False for a name that none can have, where a method of Path raises."""
    return os.path.exists(place) if isinstance(place, Path) else place.is_dir() or place.is_file()  # noqa: PTH110


def read_file(place: Place, limit: int) -> bytes:
    """The content of a file of at most `limit` bytes. Raises DataError, with its name and the reason."""
    if isinstance(place, ArchivePlace):
        return place.read_bytes(limit)
    try:
        return read_whole(place, limit)
    except OSError as error:
        raise DataError(f"{printable(place)}: cannot be read ({error.strerror})") from None


def head(place: Place, size: int) -> bytes:
    """The first `size` bytes of a file, or all of a smaller one; none where it cannot be read."""
    try:
        if isinstance(place, ArchivePlace):
            return place.read_bytes()[:size]
        with open_regular(place) as file:
            return file.read(size)
    except (OSError, DataError):
        return b""


def read_text(place: Place, limit: int) -> str:
    """The text in a file of at most `limit` bytes, without a byte order mark. Raises DataError, with its name."""
    try:
        return read_file(place, limit).decode().removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError:
        raise DataError(f"{printable(str(place))}: not a text in UTF-8") from None


def folder_entries(folder: str | Path) -> Iterator[tuple[str, bool]]:
    """Yield the names in a folder on disk, each with whether it is a folder or a link to one. Raises OSError."""
    with os.scandir(folder) as entries:
        for entry in entries:
            # a link that leads back to itself is no folder; DirEntry would raise for it
            is_folder = os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()  # noqa: PTH112
            yield entry.name, is_folder
