"""Views on their way through a graph: those that wait together go as one batch, where that pays; none waits for others.

Each lane is a thread that takes what waits as soon as it is free. So a lone request goes at once, and a batch is only
ever made of what had to wait anyway.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Condition, Thread
from typing import Any, NamedTuple

from resvision.kinds.seen_samples import Seen
from resvision.runtime.engines import batch_for


class Inferred(NamedTuple):
    """The raw result of one view, with the seconds that it waited and that its batch took."""

    raw: Any
    waited_s: float
    infer_s: float


class _Waiting(NamedTuple):
    seen: Seen
    since: float
    answer: "Future[Inferred]"


class Lanes:
    """Threads that show views to a model.

    raw         the model: views of one size to raw results
    number      of threads
    pays_from   the number of waiting views from which a batch is made of them; None for none ever
    largest     views of a batch at most
    watch       called with the number of views of each call of the model
    """

    def __init__(
        self,
        raw: Callable[[Sequence[Seen]], list[Any]],
        *,
        number: int,
        pays_from: int | None,
        largest: int,
        watch: Callable[[int], None] = lambda views: None,
    ) -> None:
        self._raw, self._pays_from, self._largest, self._watch = raw, pays_from, largest, watch
        self._waiting: deque[_Waiting] = deque()
        self._changed = Condition()
        self._closed = False
        self._threads = [Thread(target=self._run, name=f"lane {index}", daemon=True) for index in range(number)]
        for thread in self._threads:
            thread.start()

    def submit(self, seen: Seen) -> "Future[Inferred]":
        """Have a view shown; the future is cancelled where nobody waits for it any more."""
        waiting = _Waiting(seen, time.perf_counter(), Future())
        with self._changed:
            assert not self._closed, "whoever submits holds the model open"
            self._waiting.append(waiting)
            self._changed.notify()
        return waiting.answer

    def close(self) -> None:
        """End the threads once nothing waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while batch := self._next():
            started = time.perf_counter()
            try:
                results = self._raw([one.seen for one in batch])
            except Exception as error:  # noqa: BLE001 - whoever asked is told, and the lane goes on
                for one in batch:
                    one.answer.set_exception(error)
                continue
            took = time.perf_counter() - started
            self._watch(len(batch))
            for one, raw in zip(batch, results, strict=True):
                one.answer.set_result(Inferred(raw, started - one.since, took))

    def _size(self) -> int:
        """The number of the waiting views that the next call of the model takes: as many as fill a batch."""
        waiting = len(self._waiting)
        if self._pays_from is None or waiting < self._pays_from:
            return 1
        return min(waiting, self._largest, batch_for(waiting))

    def _next(self) -> list[_Waiting]:
        """The views that are shown next, waited for; none at the end."""
        with self._changed:
            while True:
                while self._waiting and self._waiting[0].answer.cancelled():
                    self._waiting.popleft()
                if self._waiting:
                    taken = [self._waiting.popleft() for _ in range(self._size())]
                    if batch := [one for one in taken if one.answer.set_running_or_notify_cancel()]:
                        return batch
                elif self._closed:
                    return []
                else:
                    self._changed.wait()
