"""The guard before the routes: who may ask, headers that every answer has, and the count of answers.

A page of a stranger that a browser has open may send requests to this machine, under a name of its own that leads here
(DNS rebinding) or across origins. So the name of the host is compared on a loopback address, and a page may only send
from this server's own origin, or one that is allowed.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resvision.core.errors import printable
from resvision.serving.documents import Error
from resvision.serving.metrics import Metrics
from resvision.serving.refused_requests import RETRY_AFTER_S
from resvision.serving.service import json_response

LONGEST_HEADER = 16 * 1024
"""Bytes of a request's header; h11 holds only what comes in several reads against it."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this machine for itself."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})
ANY = "*"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every answer; the page has a policy of its own beside them."""
_MODEL = re.compile(r"/v[12]/models/([^/:]+)")


class Guard:
    """An ASGI application around another.

    models   by name, for the count of answers
    hosts    names under which the server may be asked; None for any
    origins  of pages that may send; `*` for any
    """

    def __init__(
        self,
        application: ASGIApp,
        *,
        models: Mapping[str, Any],
        metrics: Metrics,
        hosts: frozenset[str] | None,
        origins: tuple[str, ...],
    ) -> None:
        self._application, self._models, self._metrics = application, models, metrics
        self._hosts, self._origins = hosts, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or hand it on."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._finish(scope, message)
            await send(message)

        status, reason = self._fault(scope["method"], Headers(scope=scope))
        if status:
            await json_response(Error(error=reason).model_dump(), status=status)(scope, receive, sent)
        else:
            await self._application(scope, receive, sent)

    def _fault(self, method: str, headers: Headers) -> tuple[int, str]:
        """The status of a request that is refused, and why; 0 where nothing is wrong."""
        if sum(len(name) + len(value) for name, value in headers.raw) > LONGEST_HEADER:
            return 400, f"the header of the request is longer than {LONGEST_HEADER // 1024} kB"
        host = headers.get("host", "")
        if self._hosts is not None and host_name(host) not in self._hosts:
            return 400, f"this server is not {printable(host)[:100]!r}; say --allow-host where it has that name"
        origin = headers.get("origin")
        if origin is None or method in READING or headers.get("sec-fetch-site") == "same-origin":
            return 0, ""
        if origin in self._origins or ANY in self._origins or urlsplit(origin).netloc == host:
            return 0, ""
        return 403, f"pages of {printable(origin)[:100]} may not ask; say --allow-origin to allow it"

    def _finish(self, scope: Scope, message: Message) -> None:
        """Complete the headers of an answer, and count it."""
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if message["status"] == 503:
            headers["Retry-After"] = str(RETRY_AFTER_S)
        found = _MODEL.match(scope["path"])
        name = found[1] if found is not None and found[1] in self._models else ""
        self._metrics.count_answer(name, message["status"])


def host_name(host: str) -> str:
    """The name in a header `Host`, without its port and brackets."""
    name, _, port = host.rpartition(":")
    return (name if port.isdecimal() and name else host).strip("[]").lower()
