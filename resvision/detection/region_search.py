"""The search of a whole set for regions, image beside image, before anything waits for them.

A search takes a second or two an image, so a set takes minutes, but once: regions are kept, also those that were found
before a stop.

Glossary
    P  regions of an image
"""

import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from resvision.core.errors import printable
from resvision.core.plurals import counted
from resvision.core.progress import Bar
from resvision.core.samples import Reader
from resvision.core.terminal import Terminal, tell
from resvision.detection.proposing import Regions
from resvision.kinds.detection.boxes import BoxTargets, Floats

SAID_AFTER_S = 10.0
"""Seconds of a search after which a line says how long it will take, where no terminal shows a bar."""


def searched(
    reader: Reader[BoxTargets], regions: Regions, indices: Iterable[int], *, threads: int
) -> Iterator[tuple[int, Floats]]:
    """Yield the index of each image and its regions, (P, 4) in its pixels, as they are found, in whatever order.

    threads  images that are searched at a time
    """

    def one(index: int) -> tuple[int, Floats]:
        return index, regions.in_image(reader[index].image, reader.source(index))

    pool = ThreadPoolExecutor(threads)
    try:
        for search in as_completed([pool.submit(one, index) for index in indices]):
            yield search.result()
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C those under way are finished, and kept


def search_ahead(reader: Reader[BoxTargets], regions: Regions, *, rank: int = 0, world: int = 1) -> None:
    """Search the images of a reader, so that reading them with their regions waits for none.

    Of several processes each searches its share, and finds what the others have kept, or searches that too. Process 0
    shows a bar, or says in a line how long it will take.
    """
    indices = range(rank, len(reader), world)
    quiet = rank > 0
    console = Terminal(stderr=True, quiet=quiet)
    begun, said = time.monotonic(), quiet or console.is_terminal
    with Bar(console, "searching for regions", total=len(indices)) as bar:
        for done, _ in enumerate(searched(reader, regions, indices, threads=usable_cpus()), start=1):
            bar.advance()
            elapsed = time.monotonic() - begun
            if not said and elapsed > SAID_AFTER_S:
                said = True
                minutes = elapsed / done * (len(indices) - done) / 60
                images = f"{counted(len(reader), 'image')} of {printable(reader.name)}, {reader.split}"
                tell(console, f"searching {images}, for regions: {minutes:.0f} more minutes; they are kept for later")


def usable_cpus() -> int:
    """The number of CPUs that this process may use, each for the search of an image."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
