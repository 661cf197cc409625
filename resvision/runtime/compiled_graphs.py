"""Compiled graphs, kept in the cache folder: a graph is compiled once for an engine, its version and a processor.

What is kept is believed only with its sum, which stands beside it: an engine that is given a damaged graph may end the
process. The folder may be deleted at any time.
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core import files
from resvision.core.drafts import draft_file
from resvision.data.roots import cache_root

LARGEST = 4 * 2**30
"""Bytes of a compiled graph that is read back."""


def kept(key: str) -> NDArray[Any] | None:
    """The bytes of the compiled graph of a key, (B,) uint8, which an engine may take as they lie in memory.

    None where there is none, or not the one that was written.
    """
    try:
        with files.open_regular(_place(key)) as file:
            content = np.empty(min(LARGEST, os.fstat(file.fileno()).st_size), np.uint8)
            file.readinto(content.data)
        summed = files.read_whole(_sum_place(key), 64).decode()
    except (OSError, UnicodeError):
        return None
    return content if hashlib.sha256(content.data).hexdigest() == summed else None


def keep(key: str, content: bytes) -> None:
    """Keep a compiled graph under its key; a cache that cannot be written is left, since nothing depends on it."""
    with suppress(OSError):
        _place(key).parent.mkdir(parents=True, exist_ok=True)
        with draft_file(_place(key)) as file:
            file.write(content)
        with draft_file(_sum_place(key)) as file:
            file.write(hashlib.sha256(content).hexdigest().encode())


def key_of(*parts: str) -> str:
    """The key of whatever a compiled graph depends on: the bundle's sums, engine, version, processor, settings."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _place(key: str) -> Path:
    return cache_root() / "graphs" / f"{key}.blob"


def _sum_place(key: str) -> Path:
    return cache_root() / "graphs" / f"{key}.sha256"
