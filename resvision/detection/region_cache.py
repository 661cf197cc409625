"""Regions that were searched before, kept in the cache folder by what was searched: the image's pixels and the set-up.

A file holds the regions of one image. It is written beside its place and renamed, so that several processes may search
at once and none reads half a file; one that is damaged is made anew. The oldest go where all together pass MOST_BYTES.
The folder, `regions` below the cache folder, may be deleted at any time.

Glossary
    regions  (P, 4) float32, x1 y1 x2 y2 in pixels of the image, in the order in which they were found
"""

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from resvision.core.drafts import draft_file, sweep
from resvision.core.files import MEGABYTE, read_whole
from resvision.core.images import Pixels
from resvision.core.tensor_files import tensor_bytes
from resvision.data.roots import cache_root
from resvision.kinds.detection.boxes import Floats

MOST_BYTES = 4 * 2**30
"""The bound of all files together: some 130,000 images with 2,000 regions each."""

LOOKED_AT_EVERY = 256
"""Files that a process writes between two looks at the bound."""

TENSOR = "regions"


def key(pixels: Pixels, set_up: str) -> str:
    """The name of what is searched: a hash of an image (H, W) or (H, W, C) and of a search's set-up."""
    layers = pixels if pixels.ndim == 3 else pixels[:, :, None]
    digest = hashlib.blake2b(f"{set_up}\n{layers.shape}\n".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(layers).data)
    return digest.hexdigest()


def read(key: str, sides: tuple[int, int]) -> Floats | None:
    """The regions that are kept of an image of these sides, height and width; None where none are, or damaged ones."""
    try:
        regions = load(read_whole(_path(key), 64 * MEGABYTE))[TENSOR]
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    height, width = sides
    if regions.dtype != np.float32 or regions.ndim != 2 or regions.shape[1] != 4:
        return None
    in_order = (regions[:, :2] < regions[:, 2:]).all()
    inside = (regions >= 0).all() and (regions <= np.array([width, height, width, height], dtype=np.float32)).all()
    return regions.astype(np.float64) if in_order and inside else None


def write(key: str, regions: Floats) -> None:
    """Keep the regions of an image; where the folder cannot be written, they are searched again the next time."""
    path = _path(key)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft_file(path) as file:
            file.write(tensor_bytes({TENSOR: regions.astype(np.float32)}))
        _Written.files += 1
        if _Written.files % LOOKED_AT_EVERY == 1:
            sweep(path.parent, ours=True)
            forget_oldest(MOST_BYTES)


def forget_oldest(most_bytes: int) -> None:
    """Remove the files that were written first, until those that stay have `most_bytes` together."""
    files = []
    with suppress(OSError), os.scandir(folder()) as entries:
        for entry in entries:
            with suppress(OSError):  # another process may have removed it
                status = entry.stat()
                files.append((status.st_mtime_ns, status.st_size, entry.path))
    total = 0
    for _, size, path in sorted(files, reverse=True):
        total += size
        if total > most_bytes:
            with suppress(OSError):
                Path(path).unlink()


def folder() -> Path:
    """The folder of all regions that are kept."""
    return cache_root() / "regions"


class _Written:
    """The number of files that this process has written."""

    files = 0


def _path(key: str) -> Path:
    return folder() / f"{key}.safetensors"
