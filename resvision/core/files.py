"""Files that a stranger may have made, read whole: regular files only, and no more than a stated number of bytes.

A run folder, a data set or a file of weights may hold a pipe, a device or gigabytes where a few lines are due.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any

MEGABYTE = 2**20
"""Bytes."""

SMALL = MEGABYTE
"""The limit of files of a few lines: pointers, class lists, lists of names."""

DOCUMENT = 64 * MEGABYTE
"""The limit of JSON documents of a run."""

DEEPEST = 64
"""The most brackets of a JSON document that may be open at once."""


class RefusedFileError(OSError):
    """A file is not read, for the reason in `strerror`."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(0, reason, str(path))


def read_whole(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes; OSError where it is another, missing, or unreadable.

    Links are followed. A pipe or a device is refused without waiting for it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RefusedFileError(path, "not a regular file")
        size = min(limit, os.fstat(descriptor).st_size)
        content = file.read(size + 1)  # memory for as much as there is, not for the limit
        if size < len(content) <= limit:  # it has grown since, or its status tells no size
            content += file.read(limit + 1 - len(content))
    if len(content) > limit:
        raise RefusedFileError(path, f"more than {_size(limit)}, which is the limit here")
    return content


def read_text(path: Path, limit: int) -> str:
    """The content of a file as `read_whole` reads it, as UTF-8; ValueError where it is none."""
    return read_whole(path, limit).decode()


def parse_json(document: str | bytes) -> Any:
    """The data in a JSON document; ValueError where it is none, or nested deeper than DEEPEST."""
    try:
        data = json.loads(document)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEEPEST} brackets") from None
    _require_flat(data)
    return data


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
