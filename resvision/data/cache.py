"""A cache of what was found in a data set's files, which holds while the files stay as they are.

A result lies in the cache folder under a fingerprint of all paths, sizes and times of change, so what was
found once holds until one of them changes. The cache may be deleted at any time; one that cannot be written
or read is as good as none.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from resvision.data.roots import cache_root
from resvision.data.tars import TarPlace

FORMAT = 2  # raised when what is looked for in images changes: older results then no longer hold


@runtime_checkable
class Stamped(Protocol):
    """A reader of files: it says how each is to be told from a later one of the same name."""

    split: str

    def __len__(self) -> int: ...

    def source(self, index: int) -> str:
        """Path of the image."""
        ...

    def stamp(self, index: int) -> tuple[int, ...]:
        """Size and time of change in ns of the file, or of each file that the sample is made of."""
        ...


def stamp(place: Path | TarPlace) -> tuple[int, int]:
    """Size of a file, or of the tar it is in, and its time of change in ns; (-1, -1) if it is missing."""
    try:
        status = os.stat(place.archive.path if isinstance(place, TarPlace) else place)  # noqa: PTH116 - twice as fast
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def fingerprint(*readers: Stamped, also: str = "") -> str:
    """A hash of the path, size and time of change of every file that the readers name, and of what `also` says."""
    digest = hashlib.blake2b(f"{FORMAT}\n{also}".encode(), digest_size=16)
    for reader in readers:
        for index in range(len(reader)):
            stamp = " ".join(map(str, reader.stamp(index)))
            digest.update(f"{reader.split} {reader.source(index)}\0{stamp}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def read(kind: str, mark: str) -> Any:
    """The result of that kind for the fingerprint `mark`; None if none is kept."""
    try:
        return json.loads(_place(kind, mark).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write(kind: str, mark: str, result: Any) -> None:
    """Keep a result, plain data, for `read`."""
    place = _place(kind, mark)
    draft = place.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(result), encoding="utf-8")
        draft.replace(place)


def _place(kind: str, mark: str) -> Path:
    return cache_root() / "checks" / f"{mark}.{kind}.json"
