"""The first calls of a graph, which compile it, and from how many views on a batch pays."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.graph import PIXELS
from resvision.runtime.bundle import Bundle
from resvision.runtime.engines import BATCHES

CALLS = 3
"""Calls of which the fastest counts."""


def pays_from(bundle: Bundle) -> int | None:
    """Run a bundle's graph on black views; the number of views from which one batch is faster than one by one.

    None where that never is, or where views cannot share a batch: the graph takes a number of its own, or images become
    of different sizes.
    """
    one = _seconds(bundle, 1)
    if bundle.manifest.batch is not None or bundle.view.side_px is None:
        return None
    for size in BATCHES[1:]:
        number = int(_seconds(bundle, size) / one) + 1
        if number <= size:
            return max(2, number)
    return None


def _seconds(bundle: Bundle, views: int) -> float:
    """Seconds of a call with so many views, the one that compiles left out."""
    feed = {name: _zeros(name, (views, *shape)) for name, shape in bundle.manifest.usual_inputs.items()}
    times = []
    for _ in range(CALLS + 1):
        started = time.perf_counter()
        bundle.graph(feed)
        times.append(time.perf_counter() - started)
    return min(times[1:])


def _zeros(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    return np.zeros(shape, dtype=np.uint8 if name == PIXELS else np.float32)
