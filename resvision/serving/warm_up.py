"""The first calls of a graph, which compile it, and the batches in which its views are shown."""

import time
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.kinds.graph import PIXELS
from resvision.runtime.bundle import Bundle
from resvision.runtime.engines import BATCHES

CALLS = 3
"""Calls of which the fastest counts."""
FEW, MANY = BATCHES[1:]
WORTH = {FEW: 1.1, MANY: 1.25}
"""The gain in views a second, over the batch before, for which requests share a batch of a size; a large one takes much
memory, and a few clients that wait for one all at once have nothing decoded meanwhile."""


class Batching(NamedTuple):
    """How waiting views share batches.

    pays_from  the number of views from which a batch of them is faster than one by one; None where that never is
    largest    views of a batch at most
    """

    pays_from: int | None
    largest: int


ALONE = Batching(None, 1)


def warmed_up(bundle: Bundle) -> Batching:
    """Run a bundle's graph on black views, in the batches that it is to be run in.

    Each goes alone where views cannot share a batch: the graph takes a number of its own, or images become of different
    sizes.
    """
    one = _seconds(bundle, 1)
    if bundle.manifest.batch is not None or bundle.view.side_px is None:
        return ALONE
    few = _seconds(bundle, FEW)
    batching = batching_by(one, few)
    if batching.largest == MANY and MANY / _seconds(bundle, MANY) < WORTH[MANY] * FEW / few:
        return batching._replace(largest=FEW)
    return batching


def batching_by(one_s: float, few_s: float) -> Batching:
    """The batching for a graph whose calls take so many seconds with one view and with FEW.

    A call is taken to cost something of its own and the same for each view. So a batch of MANY, which takes hundreds of
    megabytes of ResNet-50, is compiled and measured only where it promises enough.
    """
    each_s = max((few_s - one_s) / (FEW - 1), 0.0)
    own_s = one_s - each_s
    largest = 1
    for before, size in pairwise(BATCHES):
        if size / (own_s + size * each_s) < WORTH[size] * before / (own_s + before * each_s):
            break
        largest = size
    return ALONE if largest == 1 else Batching(max(2, int(few_s / one_s) + 1), largest)


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
