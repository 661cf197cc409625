"""A cache of facts about a data set's files, which hold while the files stay as they are.

A result lies in the cache folder under a fingerprint of all paths, sizes and times, so it holds until one of them
changes. The times are those of the content, which a copy may keep, and of the file's status, which none can set. The
cache may be deleted at any time; where it cannot be written or read, results are worked out anew.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar, runtime_checkable

import msgspec
from msgspec import Meta

from resvision.core.drafts import draft_file, sweep
from resvision.core.files import DOCUMENT, parse_json, read_whole
from resvision.data.archives import ArchivePlace
from resvision.data.roots import cache_root

T = TypeVar("T")

Count = Annotated[int, Meta(ge=0, le=2**62)]
Side = Annotated[int, Meta(ge=1, le=2**31)]
"""Numbers of a result that is kept: of pixels, and the length of a side in pixels."""

FORMAT = 3  # raised when the checks of images change: older results then no longer hold


@runtime_checkable
class Stamped(Protocol):
    """A reader of files that can tell a file from a later one of the same name."""

    split: str

    def __len__(self) -> int: ...

    def source(self, index: int) -> str:
        """The path of the image."""
        ...

    def stamp(self, index: int) -> tuple[int, ...]:
        """The `stamp` of the file, or those of each file that the sample is made of."""
        ...


def stamp(file: Path | str | ArchivePlace) -> tuple[int, int, int]:
    """The size of a file, or of the tar it is in, and its times of change in ns; -1 for each if it is missing.

    The second time is that of the status, which also changes where other bytes take the same size and time.
    """
    try:
        status = os.stat(file.archive.path if isinstance(file, ArchivePlace) else file)  # noqa: PTH116 - twice as fast
    except OSError:
        return -1, -1, -1
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def fingerprint(*readers: Stamped, also: str = "") -> str:
    """A hash of the path, size and times of every file that the readers name, and of the text `also`."""
    digest = hashlib.blake2b(f"{FORMAT}\n{also}".encode(), digest_size=16)
    for reader in readers:
        for index in range(len(reader)):
            stamp = " ".join(map(str, reader.stamp(index)))
            digest.update(f"{reader.split} {reader.source(index)}\0{stamp}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def read(check: str, fingerprint: str, form: type[T]) -> T | None:
    """The result of a check of the files with that fingerprint; None where none of that `form` is kept.

    A form states ranges too, so that a damaged result is not believed but worked out anew.
    """
    try:
        return msgspec.convert(parse_json(read_whole(_path(check, fingerprint), DOCUMENT)), form)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def write(check: str, fingerprint: str, result: Any) -> None:
    """Keep the result of a check, plain data, for `read`."""
    path = _path(check, fingerprint)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, ours=True)
        with draft_file(path) as file:
            file.write(json.dumps(result).encode())


def _path(check: str, fingerprint: str) -> Path:
    return cache_root() / "checks" / f"{fingerprint}.{check}.json"
