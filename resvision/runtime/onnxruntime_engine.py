"""Graphs run by ONNX Runtime on a CPU: https://onnxruntime.ai."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import SettingsError, printable
from resvision.kinds.graph import Feed
from resvision.runtime.engines import BATCH, EngineSettings
from resvision.runtime.quiet_imports import engine


class OnnxRuntimeGraph:
    """A graph in one session, a `RunningGraph`; arithmetic is in fp32."""

    def __init__(
        self, file: Path, settings: EngineSettings, key: str, batch: int | None, require_unchanged: Callable[[], None]
    ) -> None:
        if settings.precision == "bf16":
            raise SettingsError("precision bf16: ONNX Runtime has few kernels for it; use --engine openvino, or fp32")
        if file.suffix != ".onnx":
            raise SettingsError(f"{printable(file)}: in OpenVINO's own form, which ONNX Runtime does not read; use it")
        runtime = engine("onnxruntime")
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        if settings.threads is not None:
            options.intra_op_num_threads = settings.threads
        require_unchanged()
        try:
            self._session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - its errors share no class but Exception
            line = str(error).strip().splitlines()[0]
            raise SettingsError(f"{printable(file)}: ONNX Runtime cannot run this graph: {line}") from None
        self._batch = batch
        self.inputs: Mapping[str, tuple[int | None, ...]] = {
            port.name: tuple(side if isinstance(side, int) else None for side in port.shape[1:])
            for port in self._session.get_inputs()
        }
        self.outputs = tuple(port.name for port in self._session.get_outputs())
        self.lanes = 1
        self.described = f"ONNX Runtime {runtime.__version__}, fp32"

    def __call__(self, feed: Feed) -> dict[str, NDArray[Any]]:
        """The outputs for any number of views, a few at a time."""
        count = len(next(iter(feed.values())))
        size = self._batch or BATCH
        parts = [
            self._session.run(self.outputs, {name: values[first : first + size] for name, values in feed.items()})
            for first in range(0, count, size)
        ]
        return {
            name: np.concatenate(values) for name, values in zip(self.outputs, zip(*parts, strict=True), strict=True)
        }
