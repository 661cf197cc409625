"""Graphs in OpenVINO's own form, made of ONNX graphs: `.xml` with the operators, `.bin` with the weights."""

from pathlib import Path

from resvision.core.errors import SettingsError
from resvision.runtime.openvino_core import openvino_core
from resvision.runtime.quiet_imports import engine


def write_openvino(onnx: Path, file: Path) -> None:
    """Write the graph of an ONNX file in OpenVINO's form, its numbers as they are.

    Raises MissingExtraError without OpenVINO, SettingsError for a graph that it does not read.
    """
    openvino = engine("openvino")
    try:
        model = openvino_core().read_model(onnx)
    except RuntimeError as error:
        line = str(error).strip().splitlines()[-1]
        raise SettingsError(f"--to openvino: OpenVINO does not read the graph of this net: {line}") from None
    openvino.save_model(model, file, compress_to_fp16=False)
