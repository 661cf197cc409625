"""A function of each item of a stream, computed by threads ahead of whoever asks for the results, in order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AHEAD_BYTES = 256 * 2**20
"""The memory of results that wait to be asked for, beyond those that the threads are at."""


def ordered(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    threads: int,
    ahead: int,
    size: Callable[[R], int] = lambda result: 0,
) -> Generator[R, None, None]:
    """Yield the function of each item, in order. Items are taken by the caller's thread, and no more than is bounded.

    threads  that call the function; 0 leaves it to the caller's, one item at a time
    ahead    the items at most that were taken and whose results were not yielded, at least one for each thread
    size     bytes of a result; fewer are kept ahead where results are large

    An error of the function is raised in the place of its result. Whatever ends the stream, an error or its closing,
    what was not begun is dropped, and the threads are gone.
    """
    if threads == 0:
        yield from map(function, items)
        return
    least = threads + 1
    largest, most = 1, least  # until the first result tells how large they are
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                while len(pending) >= most or (pending and pending[0].done()):
                    result = pending.popleft().result()
                    largest = max(largest, size(result))
                    most = max(least, min(ahead, AHEAD_BYTES // largest))
                    yield result
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
