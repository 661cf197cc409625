"""The state of a server that its routes share, and the way from a request to its answer."""

import logging
from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import Request, Response

from resvision.kinds.seen_samples import Seen
from resvision.serving.answering import Answer, Answering, Asked
from resvision.serving.bodies import read_body
from resvision.serving.budgets import Budget
from resvision.serving.limits import Limits
from resvision.serving.metrics import Metrics
from resvision.serving.refused_requests import busy
from resvision.serving.sent_files import SentFile
from resvision.serving.served_models import OpenModel, ServedModels

LOG = logging.getLogger("resvision.serving")

Sent = list[SentFile] | list[Seen]
Read = Callable[[OpenModel, bytes], tuple[Sent, Asked]]
"""What a body asks a model: files or views, and the options."""


class Service:
    """Models, limits and counts of one server.

    threads  that decode images and write results

    `stopping` is set once a signal has come: what was accepted is answered, and nothing more is.
    """

    def __init__(self, models: ServedModels, limits: Limits, metrics: Metrics, *, threads: int) -> None:
        self.models, self.limits, self.metrics = models, limits, metrics
        self.answering = Answering(limits, metrics, threads=threads)
        self.held = Budget(limits.held_bytes, "bytes")
        self.stopping = False

    def close(self) -> None:
        """End the threads of the pool and of all models."""
        self.answering.close()
        for model in self.models.values():
            if model.current is not None:
                model.current.retire()

    def require_ready(self) -> None:
        """Raise RefusedRequest (503) before the first inference of every model, and once the server stops."""
        if self.stopping:
            raise busy("the server is stopping")
        if not self.models.ready:
            raise busy("models are being loaded")

    async def answer(
        self, request: Request, name: str, read: Read, *, is_quick: bool = False
    ) -> tuple[OpenModel, Answer]:
        """The answer to a request for a model.

        read      turns its body into files and options
        is_quick  whether `read` takes microseconds, and so is called by the event loop and not by a thread

        Raises RefusedRequest: 404 for a model that there is not, 503 for one that is not ready or a server that stops,
        and what `read_body`, `read` and `Answering.answer` raise.
        """
        if self.stopping:
            raise busy("the server is stopping")
        with self.models.named(name).opened().used() as model, self.held.shared() as held:
            body = await read_body(request, self.limits, held)
            sent, asked = read(model, body) if is_quick else await self.answering.in_pool(read, model, body)
            return model, await self.answering.answer(model, sent, asked)


def json_response(data: Any, *, status: int = 200, seconds: dict[str, float] | None = None) -> Response:
    """Plain data as JSON; with the seconds of each stage as the header `Server-Timing`, which browsers show."""
    timing = ", ".join(f"{stage};dur={1000 * value:.3f}" for stage, value in (seconds or {}).items())
    headers = {"Server-Timing": timing} if timing else None
    return Response(msgspec.json.encode(data), status, headers, "application/json")


def milliseconds(seconds: dict[str, float]) -> dict[str, float]:
    """The times of an answer in milliseconds, to a microsecond."""
    return {stage: round(1000 * value, 3) for stage, value in seconds.items()}
