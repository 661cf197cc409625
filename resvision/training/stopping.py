"""Stopping a run from outside: a signal asks, the loop leaves after the step with a checkpoint."""

import shlex
import signal
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

import torch
import torch.distributed as dist

from resvision.core.errors import ResVisionError, Stopped

SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
"""The signals of a batch system, of Ctrl-C, and of a terminal that is closed."""

ECHO_S = 1.0
"""A second Ctrl-C that comes sooner is the first: launchers send one to the process and one to its group."""


GRACE_S = 5.0
"""Seconds that a signal gives to what the loop waits for: a batch that is being made."""


class Interruption(KeyboardInterrupt):
    """A signal that interrupts at once.

    It is not KeyboardInterrupt itself: once one has passed an `exec` of text, as there are many in compiling, Python
    ends the process by SIGINT in place of the exit code.
    """


class StopSignals:
    """A context that catches stop signals, and is left by Stopped once one has come.

    Until `defer` a signal interrupts at once, as there is nothing to keep. After it, a signal is only noted, and the
    loop leaves when it next asks; a second Ctrl-C interrupts at once even then. Any other failure after a signal (of a
    compiler, say, that the signal has ended too) counts as the signal's. A signal that the process was started to
    ignore, as background jobs ignore Ctrl-C, stays ignored.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._deferring = False
        self._heard_at = 0.0
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        caught = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        try:
            self._before = {number: signal.signal(number, self._note) for number in caught}
        except ValueError:  # handlers can be set in the main thread only; elsewhere the caller keeps its own
            self._before = {}
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.defer()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.signal and not isinstance(error, ResVisionError):
            raise Stopped(self.signal, kept=error is None) from error

    def defer(self) -> None:
        """Let signals wait from now on until `leave_if_any` is called, since there is something to keep."""
        self._deferring = True

    def leave_if_any(self) -> None:
        """Raise Stopped when a signal has come to any process of the group; all of them leave at the same step."""
        if dist.is_initialized():
            heard = torch.tensor(self.signal)
            dist.all_reduce(heard, op=dist.ReduceOp.MAX)
            self.signal = int(heard)
        if self.signal:
            raise Stopped(self.signal)

    def leave_waiting(self) -> None:
        """Raise Stopped when a signal came to this process a while ago, and what it waits for has not come."""
        if self.signal and time.monotonic() - self._heard_at > GRACE_S:
            raise Stopped(self.signal, kept=False)

    def _note(self, number: int, frame: FrameType | None) -> None:
        first = self.signal == 0
        impatient = number == signal.SIGINT and time.monotonic() - self._heard_at > ECHO_S
        if first:
            self.signal, self._heard_at = number, time.monotonic()
        if not self._deferring or (impatient and not first):
            raise Interruption


class GoingOn:
    """A context that names, in a Stopped on its way, the command that goes on; of several, the outermost decides.

    command  "" until there is something to go on with
    """

    def __init__(self, command: str = "") -> None:
        self.command = command

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Stopped) and self.command:
            error.command = self.command

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """The context of work that `resvision train --resume` goes on with."""
        return cls(f"resvision train --resume {shlex.quote(str(folder))}")
