"""The JSON documents of the server, as its OpenAPI document describes them. Requests are read by `sent_files`."""

from typing import Any

from pydantic import BaseModel, Field

Schema = dict[str, Any]


class Error(BaseModel):
    """The reason why there is no result, in one line."""

    error: str


class Live(BaseModel):
    """The server answers."""

    live: bool


class Ready(BaseModel):
    """All models have answered a first time."""

    ready: bool


class Models(BaseModel):
    """The names of the models."""

    models: list[str]


class ModelCard(BaseModel):
    """A model in words."""

    name: str
    ready: bool
    version: str = Field(description="changes whenever the bundle is replaced by another")
    task: str
    net: str
    data: str
    classes: list[str]
    engine: str = Field(description="of the graph, with its version and precision; empty before it is ready")
    endings: list[str] = Field(description="of the files that it reads; empty where it reads images")
    measured: dict[str, Any] | None = Field(description="the scores of the net before and after its export")


class Predictions(BaseModel):
    """The results for the images of a request, in their order, as `resvision predict --json` prints them."""

    model: str
    version: str
    predictions: list[dict[str, Any]]
    timing_ms: dict[str, float] = Field(description="queue, decode, infer and post, of the slowest image")


class ServerMetadata(BaseModel):
    """The server in words."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """A tensor that a model takes or gives; -1 stands for any number."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """The tensors of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelReady(BaseModel):
    """The model has answered a first time."""

    name: str
    ready: bool


class OutputTensor(BaseModel):
    """A tensor of an answer."""

    name: str
    datatype: str
    shape: list[int]
    data: list[str]


class Inference(BaseModel):
    """An answer of the Open Inference Protocol; each element of `result` is a JSON document."""

    model_name: str
    model_version: str
    id: str
    outputs: list[OutputTensor]


ALWAYS = (400, 403, 500)
"""Statuses that every route may give."""
PREDICTING = (*ALWAYS, 404, 408, 413, 415, 422, 503)
"""Statuses of routes that predict."""
REASONS = {
    400: "The request is damaged, its header is too long, or it names another host.",
    403: "A page of another origin asks.",
    404: "There is no model of this name.",
    408: "The body of the request takes too long.",
    413: "The body, an image or the number of images is above its limit.",
    415: "The body or an image has another type.",
    422: "An image cannot be used, or an option has no use.",
    500: "A fault of the server.",
    503: "The server is busy, starting or stopping; try again after the seconds of the header Retry-After.",
}


def answers(model: type[BaseModel], *refused: int) -> dict[int | str, Schema]:
    """The answers of a route: a document, or one of these statuses with an error."""
    errors: dict[int | str, Schema] = {
        status: {"model": Error, "description": REASONS[status]} for status in sorted({*refused, *ALWAYS})
    }
    return {200: {"model": model}, **errors}


_BINARY: Schema = {"type": "string", "format": "binary"}
_BASE64: Schema = {"type": "string", "format": "byte", "minLength": 1}

SENT_FILES: Schema = {
    "requestBody": {
        "required": True,
        "content": {
            "image/jpeg": {"schema": _BINARY},
            "image/png": {"schema": _BINARY},
            "application/octet-stream": {"schema": _BINARY},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {"image": {"type": "array", "minItems": 1, "items": _BINARY}},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["instances"],
                    "additionalProperties": False,
                    "properties": {
                        "instances": {
                            "type": "array",
                            "minItems": 1,
                            "items": {
                                "type": "object",
                                "required": ["b64"],
                                "additionalProperties": False,
                                "properties": {"b64": _BASE64, "name": {"type": "string"}},
                            },
                        }
                    },
                }
            },
        },
    }
}
"""The body of `:predict`."""

INFERENCE: Schema = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["inputs"],
                    "properties": {
                        "id": {"type": "string"},
                        "parameters": {
                            "type": "object",
                            "properties": {
                                "top": {"type": "integer", "minimum": 1, "maximum": 2**31},
                                "score": {"type": "number", "minimum": 0, "maximum": 1},
                                "most": {"type": "integer", "minimum": 1, "maximum": 2**31},
                                "grey": {"type": "boolean"},
                                "only": {"type": "array", "items": {"type": "string"}},
                                "pictures": {"type": "boolean"},
                            },
                        },
                        "inputs": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 1,
                            "items": {
                                "type": "object",
                                "required": ["name", "shape", "datatype", "data"],
                                "properties": {
                                    "name": {"enum": ["image", "pixels"]},
                                    "shape": {
                                        "type": "array",
                                        "minItems": 1,
                                        "items": {"type": "integer", "minimum": 1},
                                    },
                                    "datatype": {"enum": ["BYTES", "UINT8"]},
                                    "parameters": {
                                        "type": "object",
                                        "properties": {"names": {"type": "array", "items": {"type": "string"}}},
                                    },
                                    "data": {"type": "array", "minItems": 1},
                                },
                            },
                        },
                        "outputs": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["name"],
                                "properties": {"name": {"enum": ["result"]}, "parameters": {"type": "object"}},
                            },
                        },
                    },
                }
            }
        },
    }
}
"""The body of an inference of the Open Inference Protocol."""
