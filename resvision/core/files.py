"""Files that a stranger may have made: regular files only, and no more of them in memory than a stated number of bytes.

A run folder, a data set or a file of weights may hold a pipe, a device or gigabytes where a few lines are due.
"""

import json
import os
import stat
from collections.abc import Iterator
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

MEGABYTE = 2**20
"""Bytes."""

SMALL = MEGABYTE
"""The limit of files of a few lines, such as class lists."""

LIST = 16 * MEGABYTE
"""The limit of lists of images, a million names."""

SETTINGS = 16 * MEGABYTE
"""The limit of JSON documents that a run or phases are started with; their longest part are names of classes."""

DOCUMENT = 64 * MEGABYTE
"""The limit of JSON documents of a run."""

DEEPEST = 64
"""The most brackets of a JSON document that may be open at once."""

MOST_CONTAINERS = 2**20
"""The most lists and objects of a JSON document; each takes thirty times as much memory as its two brackets."""

LONGEST_LINE = SMALL
"""Bytes of a line in a file that is read line by line."""

LONGEST_HEADER = 16 * MEGABYTE
"""Bytes of a safetensors header; a net of a thousand layers has half a megabyte."""


class RefusedFileError(OSError):
    """A file is not read, for the reason in `strerror`."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(0, reason, str(path))

    def __str__(self) -> str:
        return self.strerror or ""


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file to read; OSError where it is another, missing, or unreadable.

    Links are followed. A pipe or a device is refused without waiting for it.
    """
    if "\0" in str(path):  # to the system that is no name at all, of which Python makes a ValueError
        raise RefusedFileError(path, "a name with a null character")
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise RefusedFileError(path, "not a regular file")
    return os.fdopen(descriptor, "rb")


def read_whole(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes; OSError as for `open_regular`, or where it has more."""
    with open_regular(path) as file:
        size = min(limit, os.fstat(file.fileno()).st_size)
        content = file.read(size + 1)  # room for as much as there is, not for the limit
        if size < len(content) <= limit:  # it has grown since, or its status tells no size
            content += file.read(limit + 1 - len(content))
    if len(content) > limit:
        raise RefusedFileError(path, f"more than {_size(limit)}, which is the limit here")
    return content


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a regular file, each with its line break; OSError where one is longer than LONGEST_LINE."""
    with open_regular(path) as file:
        while line := file.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise RefusedFileError(path, f"a line of more than {_size(LONGEST_LINE)}, which is the limit here")
            yield line


def require_tensors(path: Path) -> None:
    """Raise OSError unless a file is regular, and has a header of at most LONGEST_HEADER bytes if it is safetensors."""
    with open_regular(path) as file:
        length = int.from_bytes(file.read(8), "little")
    if LONGEST_HEADER < length <= path.stat().st_size:
        raise RefusedFileError(path, f"a header of more than {_size(LONGEST_HEADER)}, which is the limit here")


def open_to_grow(path: Path) -> FileIO:
    """Open a file that is there to append to it, without a buffer; OSError, also where a link has its name."""
    follow_none = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | follow_none), "ab", buffering=0)


def read_text(path: Path, limit: int) -> str:
    """The content of a file as `read_whole` reads it, as UTF-8; ValueError where it is none."""
    return read_whole(path, limit).decode()


def parse_json(document: str | bytes) -> Any:
    """The data in a JSON document; ValueError where it is none, nested deeper than DEEPEST, or of too many parts."""
    try:
        if _containers(document) > MOST_CONTAINERS:
            raise ValueError(f"more than {MOST_CONTAINERS:,} lists and objects")
        data = json.loads(document)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEEPEST} brackets") from None
    _require_flat(data)
    return data


def _containers(document: str | bytes) -> int:
    """The brackets that open in a document, those in its texts among them."""
    if isinstance(document, str):
        return document.count("[") + document.count("{")
    return document.count(b"[") + document.count(b"{")


def _require_flat(data: Any) -> None:
    """Raise ValueError where lists and objects are nested deeper than DEEPEST."""
    level = [data]
    for _ in range(DEEPEST):
        containers = [part for part in level if isinstance(part, list | dict)]
        if not containers:
            return
        level = [part for container in containers for part in _members(container)]
    raise ValueError(f"nested deeper than {DEEPEST} brackets")


def _members(container: list[Any] | dict[str, Any]) -> list[Any]:
    return list(container.values()) if isinstance(container, dict) else container


def _size(limit: int) -> str:
    return f"{limit // MEGABYTE:,} MB" if limit >= MEGABYTE else f"{limit:,} bytes"
