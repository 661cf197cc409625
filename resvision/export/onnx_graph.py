"""ONNX graphs, by torch's exporter: weights inside of the file, one opset for all, nothing of the machine in it."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.export import ExportedProgram

from resvision.core import rundir
from resvision.core.errors import SettingsError
from resvision.core.references import missing_extra
from resvision.tasks.exported_nets import ExportedNet

OPSET = 18
Stored = Literal["fp32", "fp16"]
"""The number format of the weights in a file; arithmetic is the engine's choice."""

WEIGHTED = {"Conv": (1,), "ConvTranspose": (1,), "Gemm": (0, 1), "MatMul": (0, 1)}
"""The inputs of operators that may be weights. Other constants, such as anchors in pixels, keep their numbers."""


def onnx_module(name: str = "onnx") -> Any:
    """A module of the extra `onnx`; MissingExtraError without it."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise missing_extra(error) from None


def write_onnx(program: ExportedProgram, net: ExportedNet, file: Path, *, stored: Stored = "fp32") -> tuple[str, ...]:
    """Write the graph of a net's program; the names of the inputs that it has use for.

    Raises SettingsError where torch cannot write it or a weight does not fit into fp16, MissingExtraError without the
    extra `onnx`.
    """
    onnx_module("onnxscript")
    with _quiet():
        try:
            made = torch.onnx.export(
                program,
                dynamo=True,
                opset_version=OPSET,
                input_names=[*net.inputs],
                output_names=[*net.outputs],
                custom_translation_table=_translations(),
            )
        except torch.onnx.OnnxExporterError as error:
            raise SettingsError(f"export: torch cannot put this net into an ONNX graph: {error}") from error
    assert made is not None, "torch gives a program of the dynamo exporter"
    model = made.model_proto
    _without_traces(model)
    _without_unused(model.graph)
    if stored == "fp16":
        _store_halves(model.graph)
    rundir.write_bytes(file, model.SerializeToString(deterministic=True))
    return tuple(one.name for one in model.graph.input)


def _translations() -> dict[Any, Any]:
    """Our own translations of torchvision's operators: its suppression knows float64, and ONNX's does not."""
    if not hasattr(torch.ops.torchvision, "nms"):  # of a process that has loaded no detector
        return {}
    op = onnx_module("onnxscript").opset18
    floats = onnx_module("onnx").TensorProto.FLOAT
    every = np.array([np.iinfo(np.int64).max])

    def nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
        """The places of the boxes that remain, (M,) int64: of one group, whose pixels float32 holds as they are."""
        selected = op.NonMaxSuppression(
            op.Unsqueeze(op.Cast(boxes, to=floats), op.Constant(value_ints=[0])),
            op.Unsqueeze(op.Cast(scores, to=floats), op.Constant(value_ints=[0, 1])),
            op.Constant(value_ints=every.tolist()),
            op.Constant(value_floats=[iou_threshold]),
        )
        return op.Gather(selected, op.Constant(value_int=2), axis=1)

    def roi_pool(maps: Any, regions: Any, scale: float, height: int, width: int) -> tuple[Any, Any]:
        """The greatest values in the cells of regions, (R, C, height, width), and nothing for where they are."""
        pooled = op.MaxRoiPool(maps, regions, pooled_shape=[height, width], spatial_scale=scale)
        return pooled, op.Constant(value_int=0)

    return {torch.ops.torchvision.nms.default: nms, torch.ops.torchvision.roi_pool.default: roi_pool}


def _without_traces(model: Any) -> None:
    """Take out the places in source files of which torch notes down where each node comes from, and shapes inside."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output):
        part.doc_string = ""
        del part.metadata_props[:]


def _without_unused(graph: Any) -> None:
    """Take out inputs that no node reads, which engines would drop without a word."""
    read = {name for node in graph.node for name in node.input} | {one.name for one in graph.output}
    for one in [one for one in graph.input if one.name not in read]:
        graph.input.remove(one)


def _store_halves(graph: Any) -> None:
    """Store weights as fp16, each with a node that makes them fp32 again; engines do so once, when they start."""
    onnx = onnx_module()
    weights = {node.input[place] for node in graph.node for place in WEIGHTED.get(node.op_type, ())}
    casts = []
    for tensor in graph.initializer:
        if tensor.name not in weights or tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16)
        if not np.isfinite(halves).all():
            raise SettingsError("--precision fp16: a weight of this net does not fit into fp16; export it as fp32")
        stored = f"{tensor.name}.fp16"
        casts.append(onnx.helper.make_node("Cast", [stored], [tensor.name], to=onnx.TensorProto.FLOAT))
        tensor.CopyFrom(onnx.numpy_helper.from_array(halves, stored))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporter from printing its progress, and from warning of what is none of a person's business."""
    disabled = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
