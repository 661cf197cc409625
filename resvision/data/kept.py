"""Results about a data set's files that are kept while the files stay as they are.

A result lies in the cache folder under a fingerprint of all paths, sizes and times of change, so what was
found once holds until one of them changes. The cache may be deleted at any time; one that cannot be written
or read is as good as none.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from resvision.data.sets import Splits, cache_root

FORMAT = 1  # raised when what is looked for in images changes: older results then no longer hold


def fingerprint(splits: Splits) -> str:
    """A hash of the path, size and time of change of every file that the readers name."""
    digest = hashlib.blake2b(f"{FORMAT}\n".encode(), digest_size=16)
    for reader in (splits.train, splits.test):
        for index in range(len(reader)):
            path = reader.source(index)
            size = changed_ns = -1  # of a file that is missing
            with suppress(OSError):
                status = os.stat(path)  # noqa: PTH116 - twice as fast as Path.stat, a million times
                size, changed_ns = status.st_size, status.st_mtime_ns
            digest.update(f"{reader.split} {path}\0{size} {changed_ns}\n".encode(errors="surrogateescape"))
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
