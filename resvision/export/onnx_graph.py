"""ONNX graphs, by torch's exporter: weights inside of the file, one opset for all."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

import torch

from resvision.core.errors import SettingsError
from resvision.core.references import missing_extra
from resvision.tasks.exported_nets import ExportedNet

OPSET = 18


def write_onnx(net: ExportedNet, file: Path) -> None:
    """Write the graph of a net; SettingsError where torch cannot export it, MissingExtraError without its exporter."""
    batch = None if net.batch is not None else {0: torch.export.Dim("n")}
    with _quiet():
        try:
            torch.onnx.export(
                net.module.eval(),
                tuple(net.inputs.values()),
                file,
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                input_names=[*net.inputs],
                output_names=[*net.outputs],
                dynamic_shapes=tuple(batch for _ in net.inputs),
            )
        except ModuleNotFoundError as error:
            raise missing_extra(error) from None
        except torch.onnx.OnnxExporterError as error:
            raise SettingsError(f"export: torch cannot put this net into an ONNX graph: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporter from printing its progress, and from warning of what is none of a person's business."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
