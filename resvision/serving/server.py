"""The server: it listens, loads its models, looks at their folders for new ones, and ends without losing an answer."""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI

from resvision.core.cores import usable_threads
from resvision.core.errors import ResVisionError, SettingsError, printable
from resvision.runtime.engines import EngineSettings
from resvision.serving.application import application
from resvision.serving.connections import connections_of
from resvision.serving.guard import LONGEST_HEADER, LOOPBACK
from resvision.serving.limits import Limits
from resvision.serving.metrics import Metrics
from resvision.serving.served_models import LOG, ServedModel, ServedModels, named_places
from resvision.serving.service import Service

WATCH_S = 5.0
"""Seconds between two looks at the folders of the bundles."""
KEEP_ALIVE_S = 5
"""Seconds for which a connection stays open after an answer."""


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where a server listens and to whom.

    port     0 takes one that is free
    hosts    further names under which it may be asked on a loopback address; on another, the only ones, if any
    origins  of other pages that may send requests and read their answers; `*` for any
    """

    host: str = "127.0.0.1"
    port: int = 8000
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone can reach the server."""
        return self.host in LOOPBACK or self.host.startswith("127.")

    @property
    def allowed_hosts(self) -> frozenset[str] | None:
        """Names under which the server may be asked; None for any."""
        names = {name.lower() for name in self.hosts}
        if self.is_loopback:
            return LOOPBACK | names | {self.host}
        return frozenset(names | LOOPBACK) if names else None


def serve(
    bundles: Sequence[str],
    *,
    listening: Listening | None = None,
    limits: Limits | None = None,
    settings: EngineSettings | None = None,
) -> None:
    """Serve bundles until a signal ends it; each is a path, a shipped name, or NAME=BUNDLE.

    Raises what `named_places` and `open_bundle` raise, and SettingsError for an address that it cannot listen to.
    """
    listening, limits = listening or Listening(), limits or Limits()
    settings = settings or EngineSettings(threads=usable_threads())
    metrics = Metrics()
    models = ServedModels(
        [
            ServedModel(name, place, settings, lambda views, name=name: metrics.batches.observe(name, views))  # type: ignore[misc]
            for name, place in named_places(bundles).items()
        ]
    )
    service = Service(models, limits, metrics, threads=settings.threads or usable_threads())
    metrics.add_gauge(
        "resvision_waiting_images", "Images that wait for an answer.", lambda: service.answering.waiting.taken
    )
    with _socket(listening) as opened:
        _Server(service, listening).run([opened])


class _Server(uvicorn.Server):
    """uvicorn's server with our signals; models are loaded while it already answers that it is not ready."""

    def __init__(self, service: Service, listening: Listening) -> None:
        self._service, self._listening = service, listening
        self._failure: ResVisionError | None = None
        self._look = asyncio.Event()
        limits = service.limits
        app = application(
            service,
            lifespan=self._lifespan,
            hosts=listening.allowed_hosts,
            origins=listening.origins,
        )
        super().__init__(
            uvicorn.Config(
                app,
                http=connections_of(limits),
                ws="none",
                loop="asyncio",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=LONGEST_HEADER,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=int(limits.body_seconds + limits.answer_seconds) + 1,
            )
        )

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal; raises the error of a bundle that cannot be opened."""
        with _logging():
            super().run(sockets)
        if self._failure is not None:
            raise self._failure

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """SIGTERM and an interrupt end the server, SIGHUP has it look at the bundles."""
        loop = asyncio.get_running_loop()
        actions = {signal.SIGINT: self._stop, signal.SIGTERM: self._stop, signal.SIGHUP: self._look.set}
        if threading.current_thread() is not threading.main_thread():  # as in tests; signals come to the main one alone
            actions = {}
        for number, action in actions.items():
            loop.add_signal_handler(number, action)
        try:
            yield
        finally:
            for number in actions:
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        """Answer what was accepted, and end; a second signal ends at once."""
        self.force_exit = self.should_exit
        self.should_exit = self._service.stopping = True

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(self._keep_models())
        task.add_done_callback(self._end)  # which nothing ends but a fault of ours, raised below
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        self._service.close()

    def _end(self, _: "asyncio.Task[None]") -> None:
        self.should_exit = True

    async def _keep_models(self) -> None:
        """Load all models, then look for new ones; an error at the start ends the server."""
        models = [*self._service.models.values()]
        try:
            for model in models:
                model.swap(await asyncio.to_thread(model.load))
        except ResVisionError as error:
            self._failure, self.should_exit = error, True
            return
        self._tell_ready()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), WATCH_S)
            self._look.clear()
            for model in models:
                if (new := await asyncio.to_thread(model.replacement)) is not None:
                    model.swap(new)

    def _tell_ready(self) -> None:
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        for model in self._service.models.values():
            bundle = model.opened().bundle
            LOG.info("%s: %s, trained on %s, by %s", model.name, bundle.name, bundle.data, bundle.graph.described)
        LOG.info("serving at http://%s:%d/ (Ctrl+C ends it)", shown, port)
        if not self._listening.is_loopback:
            LOG.warning("other machines reach this address, and nothing asks them for a password")


def _socket(listening: Listening) -> socket.socket:
    """The socket that is listened to; SettingsError where the address cannot be had.

    Its connections send at once. They would else keep the body of an answer for 40 ms, until the client has
    acknowledged the header; asyncio sees to that only for sockets that name their protocol, as these do not.
    """
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    try:
        opened = socket.create_server((listening.host, listening.port), family=family, backlog=1024)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)  # its own words for a number name the address once more
        reason = os.strerror(number) if number and number > 0 else error
        raise SettingsError(
            f"--host {printable(listening.host)} --port {listening.port}: cannot listen there ({reason}); choose others"
        ) from None


@contextmanager
def _logging() -> Generator[None, None, None]:
    """Have warnings of the server and of uvicorn as lines on standard error, as those of all verbs."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("resvision: %(message)s"))
    loggers = {LOG: logging.INFO, logging.getLogger("uvicorn.error"): logging.WARNING}
    for logger, level in loggers.items():
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
            logger.propagate = True
