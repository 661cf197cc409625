"""The Open Inference Protocol, version 2, over HTTP: https://github.com/kserve/open-inference-protocol.

A model takes one tensor: `image`, BYTES (N), encoded images or other files in base64, with their names as its
parameter `names` where they matter; or `pixels`, UINT8 (N, h, w, C), images of the size that the net sees. It gives
`result`, BYTES (N): each a JSON document, as `:predict` has it.
"""

from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from resvision.core.errors import printable
from resvision.core.view_geometry import Geometry
from resvision.kinds.graph import PIXELS
from resvision.kinds.seen_samples import Seen
from resvision.serving.answering import Answer, Asked
from resvision.serving.refused_requests import RefusedRequest
from resvision.serving.sent_files import SentFile, decoded_base64, json_as, plain_name, require_few
from resvision.serving.served_models import OpenModel

IMAGE, RESULT = "image", "result"

Whole = Annotated[int, Meta(ge=1, le=2**31)]


class Parameters(msgspec.Struct):
    """The parameters of a request that are known here: the options of `Asked`."""

    top: Whole | None = None
    score: Annotated[float, Meta(ge=0, le=1)] | None = None
    most: Whole | None = None
    grey: bool = False
    only: tuple[str, ...] = ()
    pictures: bool = False


class TensorParameters(msgspec.Struct):
    """The parameters of an input that are known here: the names of its files, where there are any."""

    names: list[str] = []


class Tensor(msgspec.Struct):
    """An input."""

    name: str
    shape: list[Whole]
    datatype: str
    data: list[Any]
    parameters: TensorParameters = msgspec.field(default_factory=TensorParameters)


class Named(msgspec.Struct):
    """An output that is asked for."""

    name: str


class Inference(msgspec.Struct):
    """The body of a request."""

    inputs: Annotated[list[Tensor], Meta(min_length=1)]
    id: str = ""
    parameters: Parameters = msgspec.field(default_factory=Parameters)
    outputs: list[Named] = []


def read_inference(body: bytes) -> Inference:
    """The request in a body; RefusedRequest (400, 422) where it is none."""
    return json_as(Inference, body)


def sent_in(model: OpenModel, inference: Inference, *, most: int) -> list[SentFile] | list[Seen]:
    """The files or the views that a request holds.

    Raises RefusedRequest: 413 for more than `most` of them, 422 for tensors that the model does not take or give.
    """
    if wrong := next((output.name for output in inference.outputs if output.name != RESULT), None):
        raise RefusedRequest(422, f"no output {printable(wrong)[:100]!r}; the model gives {RESULT}")
    if len(inference.inputs) != 1:
        raise RefusedRequest(422, "a request has one input")
    (tensor,) = inference.inputs
    taken = {row["name"]: row for row in inputs_of(model)}
    if tensor.name not in taken:
        raise RefusedRequest(422, f"no input {printable(tensor.name)[:100]!r}; the model takes {' or '.join(taken)}")
    row = taken[tensor.name]
    fits = len(tensor.shape) == len(row["shape"]) and all(
        side == wanted or (wanted == -1 and side >= 1)
        for side, wanted in zip(tensor.shape[1:], row["shape"][1:], strict=True)
    )
    if not fits or tensor.datatype != row["datatype"]:
        raise RefusedRequest(
            422, f"{tensor.name}: must be {row['datatype']} of shape {row['shape']}, -1 being any number"
        )
    require_few(tensor.shape[0], most)
    return _files(tensor) if tensor.name == IMAGE else _views(tensor)


def asked_in(inference: Inference) -> Asked:
    """The options of a request."""
    return Asked(**msgspec.structs.asdict(inference.parameters), id=inference.id)


def inputs_of(model: OpenModel) -> list[dict[str, Any]]:
    """The tensors that a model takes, one at a time; no pixels where views are drawn from samples of files."""
    files: list[dict[str, Any]] = [{"name": IMAGE, "datatype": "BYTES", "shape": [-1]}]
    if model.bundle.kind.samples() is not None:
        return files
    sides = (side or -1 for side in model.bundle.graph.inputs[PIXELS])
    pixels = {"name": PIXELS, "datatype": "UINT8", "shape": [-1, *sides]}
    return [*files, pixels]


def outputs_of() -> list[dict[str, Any]]:
    """The tensors that every model gives."""
    return [{"name": RESULT, "datatype": "BYTES", "shape": [-1]}]


def written(model: OpenModel, answer: Answer) -> dict[str, Any]:
    """The body of an answer."""
    data = [msgspec.json.encode(prediction).decode() for prediction in answer.predictions]
    tensor = {"name": RESULT, "datatype": "BYTES", "shape": [len(data)], "data": data}
    return {"model_name": model.name, "model_version": answer.version, "id": answer.id, "outputs": [tensor]}


def _files(tensor: Tensor) -> list[SentFile]:
    if len(tensor.data) != tensor.shape[0] or not all(isinstance(text, str) for text in tensor.data):
        raise RefusedRequest(422, f"{IMAGE}: data must be {tensor.shape[0]:,} texts of base64")
    names = tensor.parameters.names or [f"image {position}" for position in range(len(tensor.data))]
    if len(names) != len(tensor.data):
        raise RefusedRequest(422, f"{IMAGE}: {len(names):,} names for {len(tensor.data):,} files")
    sent = zip(names, tensor.data, strict=True)
    return [SentFile(plain_name(name), decoded_base64(text, name=name)) for name, text in sent]


def _views(tensor: Tensor) -> list[Seen]:
    try:
        values = np.array(tensor.data)
    except (ValueError, OverflowError):  # lists of several lengths
        values = np.empty(0)
    if values.dtype.kind not in "iu" or values.size != np.prod(tensor.shape, dtype=float):
        raise RefusedRequest(422, f"{PIXELS}: data must be {tensor.shape} whole numbers, flat or nested")
    if values.min() < 0 or values.max() > 255:
        raise RefusedRequest(422, f"{PIXELS}: values must lie in 0..255")
    views = values.astype(np.uint8).reshape(tensor.shape)
    sides = views.shape[1], views.shape[2]
    return [Seen(view, Geometry(sides, sides), f"image {position}", view) for position, view in enumerate(views)]
