"""Connections that are not waited for without end, and no more of them than the limit.

uvicorn closes a connection that is idle after an answer. What it does not do is done here: a connection that says
nothing, or not to the end, is closed in time; one too many is told so; and a client that still sends what was refused
is read for a moment, since closing at once would take the answer away from it.
"""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from resvision.serving.limits import Limits
from resvision.serving.refused_requests import RETRY_AFTER_S

LINGER_S = 2.0
"""Seconds for which the rest of a refused body is read and thrown away."""


class Connection(H11Protocol):
    """One connection; `connections_of` makes the class that knows the limits. Final but for that."""

    limits: ClassVar[Limits]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection in, or refuse it."""
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._close_with(503, f"{self.limits.connections:,} connections are open, which is the limit; try again")
        else:
            self._await_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._forget_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Await the next request, and the rest of this one only so long."""
        cycle = self.cycle
        self._await_header()
        super().on_response_complete()
        if self.cycle is cycle and self.conn.their_state is h11.SEND_BODY:
            self._unset_keepalive_if_required()
            self.loop.call_later(LINGER_S, self._end_linger, cycle)

    def pause_writing(self) -> None:
        """Give a client that does not read its answer only so long."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.answer_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._close_with(400, "the request is no HTTP, or its header is too long")

    def _await_header(self) -> None:
        self._forget_timer()
        self._header_timer = self.loop.call_later(self.limits.header_seconds, self._end_header)

    def _forget_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _end_header(self) -> None:
        """Close a connection that has not said what it wants."""
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            if self.conn.trailing_data[0]:
                self._close_with(408, f"the header of the request took longer than {self.limits.header_seconds:g} s")
            else:
                self.transport.close()

    def _end_linger(self, cycle: Any) -> None:
        """Close a connection whose client still sends the body of a request that has its answer."""
        if self.cycle is cycle and self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self.transport.close()

    def _close_with(self, status: int, error: str) -> None:
        """Write an answer past the application, and close."""
        body = msgspec.json.encode({"error": error})
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *([f"Retry-After: {RETRY_AFTER_S}"] if status == 503 else []),
            "X-Content-Type-Options: nosniff",
            "Connection: close",
        ]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.transport.close()


def connections_of(limits: Limits) -> type[Connection]:
    """The class of connections with these limits, as uvicorn takes it."""
    return type("LimitedConnection", (Connection,), {"limits": limits})
