"""Stopping a run from outside: a signal asks, the loop leaves after the step with a checkpoint."""

import signal
from types import FrameType, TracebackType
from typing import Self

import torch
import torch.distributed as dist

from resvision.core.errors import Stopped

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Catches SIGTERM and Ctrl-C inside its context; a second Ctrl-C interrupts at once.

    A signal that the process was started to ignore, as background jobs ignore Ctrl-C, stays ignored.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        try:
            self._before = {number: signal.signal(number, self._ask) for number in heard}
        except ValueError:  # handlers can be set in the main thread only; elsewhere the caller keeps its own
            self._before = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def heard_by_any(self) -> bool:
        """Whether a signal has come to any process of the group; all of them hear it at the same step."""
        if dist.is_initialized():
            heard = torch.tensor(self.signal)
            dist.all_reduce(heard, op=dist.ReduceOp.MAX)
            self.signal = int(heard)
        return self.signal > 0

    def leave_if_asked(self) -> None:
        """Raise Stopped when a signal has come."""
        if self.signal:
            raise Stopped(self.signal)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            raise KeyboardInterrupt
        self.signal = number
