"""The application: routes, the page, and errors, each of which is one line of JSON."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from resvision import __version__
from resvision.core.errors import printable
from resvision.serving import page, routes
from resvision.serving.guard import Guard
from resvision.serving.refused_requests import RefusedRequest
from resvision.serving.service import Service, json_response

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

NO_TELEMETRY: "TelemetryConfig" = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI would report requests to wherever the environment says, once an SDK of OpenTelemetry is installed beside it.

Versions of FastAPI that know of no telemetry take this as one of their extra arguments, which do nothing.
"""
STATUS_TEXTS = {404: "there is nothing at this address", 405: "this address does not take this method"}


def application(
    service: Service,
    *,
    lifespan: Lifespan | None = None,
    hosts: frozenset[str] | None = None,
    origins: tuple[str, ...] = (),
) -> ASGIApp:
    """The application of a service, behind its guard.

    lifespan  what is done before the first request and after the last
    hosts     names under which the server may be asked; None for any
    origins   of other pages that may send requests and read their answers
    """
    app = FastAPI(
        title="ResVision",
        version=__version__,
        description="Results of exported nets for images and recorded tracks.",
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        telemetry=NO_TELEMETRY,
        exception_handlers={
            RefusedRequest: _refused,
            RequestValidationError: _wrong_option,
            HTTPException: _no_route,
            Exception: _failed,
        },
    )
    app.router.routes.append(routes.RouteWithoutOptions(service))
    for router in (routes.model_routes, routes.protocol_routes, routes.health_routes):
        app.include_router(router(service))
    app.include_router(page.routes())
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"])
    return Guard(app, models=service.models, metrics=service.metrics, hosts=hosts, origins=origins)


def _error(status: int, text: str, headers: Any = None) -> Response:
    response = json_response({"error": " ".join(text.split())}, status=status)
    response.headers.update(headers or {})
    return response


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedRequest)
    return _error(error.status, str(error))


async def _wrong_option(_: Request, error: Exception) -> Response:
    """The first option with a value that it does not take."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return _error(422, f"?{printable(place)}: {first['msg']}")


async def _no_route(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, STATUS_TEXTS.get(error.status_code, error.detail), error.headers)


async def _failed(_: Request, error: Exception) -> Response:
    """A fault of ours, whose traceback goes to the log alone."""
    return _error(500, f"a fault of the server ({type(error).__name__}); its log has more")
