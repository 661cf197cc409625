"""Amounts that all requests of a server share, so that their sum has a limit where each alone has one."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from resvision.serving.refused_requests import busy


class Budget:
    """An amount that requests take from, by any thread.

    most  that is taken at a time
    noun  of the amount, for errors
    """

    def __init__(self, most: int, noun: str) -> None:
        self._most, self._noun, self._lock = most, noun, Lock()
        self.taken = 0

    @contextmanager
    def shared(self) -> Iterator["Share"]:
        """The part of one request, which is given back at the end of the block."""
        share = Share(self)
        try:
            yield share
        finally:
            self._close(share)

    def _add(self, share: "Share", amount: int) -> None:
        with self._lock:  # several threads may add to one share
            if share.closed:
                raise busy("the request has ended")
            if amount > 0 and self.taken + amount > self._most:
                raise busy(f"the server is busy: {self._most:,} {self._noun} at a time")
            self.taken += amount
            share.amount += amount

    def _close(self, share: "Share") -> None:
        """Give a share back; a thread that still works for its request can take no more."""
        with self._lock:
            self.taken -= share.amount
            share.closed = True


class Share:
    """The part of a budget that one request has taken."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.amount, self.closed = 0, False

    def add(self, amount: int) -> None:
        """Take more; RefusedRequest (503) where less is left, or the request has ended."""
        self._budget._add(self, amount)
