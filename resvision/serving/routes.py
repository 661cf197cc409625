"""The routes of the server: models and predictions, the Open Inference Protocol, health and metrics."""

from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from starlette.routing import Match, Route
from starlette.types import Scope

from resvision import __version__
from resvision.core.settings import to_json
from resvision.serving import documents, inference_protocol
from resvision.serving.answering import Asked
from resvision.serving.documents import PREDICTING, answers
from resvision.serving.metrics import CONTENT_TYPE
from resvision.serving.sent_files import is_file, kind_of_content, sent_files
from resvision.serving.served_models import OpenModel, ServedModel
from resvision.serving.service import Sent, Service, json_response, milliseconds

Whole = Annotated[int | None, Query(ge=1, le=2**31)]


def health_routes(service: Service) -> APIRouter:
    """Whether the server lives and is ready, by both protocols, and what it counted."""
    router = APIRouter(tags=["health"])

    async def live() -> Response:
        """The server answers."""
        return json_response({"live": True})

    async def ready() -> Response:
        """Every model has answered a first inference."""
        service.require_ready()
        return json_response({"ready": True})

    for path in ("/healthz", "/v2/health/live"):
        router.get(path, responses=answers(documents.Live))(live)
    for path in ("/readyz", "/v2/health/ready"):
        router.get(path, responses=answers(documents.Ready, 503))(ready)

    @router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def metrics() -> Response:
        """Counts and times, as Prometheus reads them."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    return router


def model_routes(service: Service) -> APIRouter:
    """The models, and predictions for files."""
    router = APIRouter(prefix="/v1/models", tags=["models"])
    one_of_models = _one_of(service)

    @router.get("", responses=answers(documents.Models))
    async def names() -> Response:
        """The names of the models."""
        return json_response({"models": [*service.models]})

    @router.post(
        "/{name}:predict", responses=answers(documents.Predictions, *PREDICTING), openapi_extra=documents.SENT_FILES
    )
    async def predict(
        request: Request,
        name: str = one_of_models,
        top: Whole = None,
        score: Annotated[float | None, Query(ge=0, le=1)] = None,
        most: Whole = None,
        grey: bool = False,
        only: Annotated[tuple[str, ...], Query()] = (),
        pictures: bool = False,
    ) -> Response:
        """The results for one image, or several."""
        return await _predicted(service, request, name, Asked(top, score, most, grey, only, pictures))

    @router.get("/{name}", responses=answers(documents.ModelCard, 404))
    async def card(name: str = one_of_models) -> Response:
        """A model in words."""
        if name.endswith(":predict"):  # an address that takes another method
            raise HTTPException(405, headers={"Allow": "POST"})
        return json_response(_card(service.models.named(name)))

    return router


class RouteWithoutOptions(Route):
    """The way to predictions of requests that name no option: straight to them.

    There is nothing to be validated then, and FastAPI's own steps would take a quarter of the time that the event loop
    has for a request. It stands before its route in FastAPI, which takes all others and is documented.
    """

    def __init__(self, service: Service) -> None:
        async def predict(request: Request) -> Response:
            return await _predicted(service, request, request.path_params["name"], Asked())

        super().__init__("/v1/models/{name}:predict", predict, methods=["POST"], include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As any route, but for requests with options or by other methods."""
        match, child = super().matches(scope)
        return (match, child) if match is Match.FULL and not scope["query_string"] else (Match.NONE, {})


async def _predicted(service: Service, request: Request, name: str, asked: Asked) -> Response:
    """The results for the files of a request."""
    content_type = request.headers.get("content-type", "")

    def read(_: OpenModel, body: bytes) -> tuple[Sent, Asked]:
        return sent_files(content_type, body, most=service.limits.images), asked

    model, answer = await service.answer(request, name, read, is_quick=is_file(kind_of_content(content_type)))
    data = {
        "model": model.name,
        "version": answer.version,
        "predictions": answer.predictions,
        "timing_ms": milliseconds(answer.seconds),
    }
    return json_response(data, seconds=answer.seconds)


def protocol_routes(service: Service) -> APIRouter:
    """The Open Inference Protocol."""
    router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])
    one_of_models = _one_of(service)

    @router.get("", responses=answers(documents.ServerMetadata))
    async def server() -> Response:
        """The server in words."""
        return json_response({"name": "resvision", "version": __version__, "extensions": []})

    @router.get("/models/{name}", responses=answers(documents.ModelMetadata, 404, 503))
    async def metadata(name: str = one_of_models) -> Response:
        """The tensors of a model."""
        model = service.models.named(name).opened()
        data = {
            "name": name,
            "versions": [model.version],
            "platform": f"resvision_{model.bundle.kind.name}",
            "inputs": inference_protocol.inputs_of(model),
            "outputs": inference_protocol.outputs_of(),
        }
        return json_response(data)

    @router.get("/models/{name}/ready", responses=answers(documents.ModelReady, 404, 503))
    async def ready(name: str = one_of_models) -> Response:
        """The model has answered a first inference."""
        return json_response({"name": service.models.named(name).opened().name, "ready": True})

    @router.post(
        "/models/{name}/infer",
        responses=answers(documents.Inference, *PREDICTING),
        openapi_extra=documents.INFERENCE,
    )
    async def infer(request: Request, name: str = one_of_models) -> Response:
        """The results for a tensor of encoded images, or of pixels."""

        def read(model: OpenModel, body: bytes) -> tuple[Sent, Asked]:
            inference = inference_protocol.read_inference(body)
            sent = inference_protocol.sent_in(model, inference, most=service.limits.images)
            return sent, inference_protocol.asked_in(inference)

        model, answer = await service.answer(request, name, read)
        return json_response(inference_protocol.written(model, answer), seconds=answer.seconds)

    return router


def _one_of(service: Service) -> Any:
    """The name of a model in an address, which the OpenAPI document tells from other words."""
    return Path(json_schema_extra={"enum": [*service.models]})


def _card(model: ServedModel) -> dict[str, Any]:
    """What is known of a model, before it is ready too."""
    current, manifest = model.current, model.manifest
    return {
        "name": model.name,
        "ready": current is not None,
        "version": model.version,
        "task": manifest.task,
        "net": manifest.net,
        "data": PurePath(manifest.data).name,  # not where it lay
        "classes": manifest.classes,
        "engine": "" if current is None else current.bundle.graph.described,
        "endings": sorted(model.kind.file_endings),
        "measured": None if manifest.measured is None else to_json(manifest.measured),
    }
