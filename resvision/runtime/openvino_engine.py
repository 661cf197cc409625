"""Graphs run by OpenVINO on a CPU: https://docs.openvino.ai."""

import io
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core.errors import SettingsError, printable
from resvision.core.processor import fingerprint
from resvision.kinds.graph import Feed
from resvision.runtime import atrous, compiled_graphs
from resvision.runtime.channels_last import normalize_channels_last
from resvision.runtime.engines import EngineSettings, batch_for
from resvision.runtime.openvino_core import default_precision, openvino_core
from resvision.runtime.quiet_imports import engine

HINTS = {"fp32": "f32", "bf16": "bf16"}

PREPARED = 512
"""Operators that stay prepared for sizes of images which a graph of any size has seen. By OpenVINO's own number, 5,000,
a process grew by 5 MB with each new size; what is beyond it is prepared again, which takes about as long as it runs."""


class OpenVinoGraph:
    """A graph that is compiled for one view, and for more of BATCHES once so many come, a `RunningGraph`."""

    def __init__(
        self, file: Path, settings: EngineSettings, key: str, batch: int | None, require_unchanged: Callable[[], None]
    ) -> None:
        self._openvino = engine("openvino")
        self._file, self._key, self._batch, self._require_unchanged = file, key, batch, require_unchanged
        self._settings = _properties(settings)
        self._in_sums = atrous.sums_pay(self._settings.get("INFERENCE_PRECISION_HINT") or default_precision())
        self._compiled: dict[int, _Requests] = {}
        self._kept: list[NDArray[Any]] = []
        self._lock = Lock()
        one = self._requests(batch or 1)
        self.inputs: Mapping[str, tuple[int | None, ...]] = one.inputs
        self.outputs = one.outputs
        self.lanes = one.number
        self.described = f"OpenVINO {self._openvino.__version__.partition('-')[0]}, {one.precision}"

    def __call__(self, feed: Feed) -> dict[str, NDArray[Any]]:
        """The outputs for any number of views, a few at a time, the last of them repeated where some are missing."""
        count = len(next(iter(feed.values())))
        parts = []
        first = 0
        while first < count:
            size = self._batch or (batch_for(count - first))
            length = min(size, count - first)
            part = {name: _filled(values[first : first + length], size) for name, values in feed.items()}
            answers = self._requests(size)(part)
            parts.append({name: values[:length] for name, values in answers.items()})
            first += length
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _requests(self, size: int) -> "_Requests":
        """The graph for so many views at a time, compiled when it is first asked for."""
        with self._lock:
            if size not in self._compiled:
                self._compiled[size] = _Requests(self._compile(size))
            return self._compiled[size]

    def _compile(self, size: int) -> Any:
        """The compiled graph: the one that was kept, or a new one."""
        sums = f"sums from {atrous.SPREAD}" if self._in_sums else "no sums"
        version, form = self._openvino.get_version(), f"{sorted(self._settings.items())}, {sums}, channels last"
        key = compiled_graphs.key_of(self._key, "openvino", version, fingerprint(), form, f"{size}")
        if (content := compiled_graphs.kept(key)) is not None:
            with suppress(RuntimeError):  # of one that this library cannot read after all: it is compiled anew
                tensor = self._openvino.Tensor(content, shared_memory=True)
                compiled = openvino_core().import_model(tensor, "CPU", self._settings)
                self._kept.append(content)  # in which its weights lie
                return compiled
        self._require_unchanged()
        try:
            model = openvino_core().read_model(self._file)
            if self._batch is None:
                model.reshape({port: [size, *port.partial_shape[1:]] for port in model.inputs})
            normalize_channels_last(model)
            if self._in_sums:
                atrous.sum_over_taps(model)
            compiled = openvino_core().compile_model(model, "CPU", self._settings)
        except RuntimeError as error:
            line = str(error).strip().splitlines()[-1]
            raise SettingsError(f"{printable(self._file)}: OpenVINO cannot run this graph: {line}") from None
        self._require_unchanged()  # while it was read
        stream = io.BytesIO()
        compiled.export_model(stream)
        compiled_graphs.keep(key, stream.getvalue())
        return compiled


class _Requests:
    """The inference requests of one compiled graph, each used by one thread at a time."""

    def __init__(self, compiled: Any) -> None:
        self.number = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self.precision = {"f32": "fp32", "bf16": "bf16", "f16": "fp16"}[
            compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        ]
        self.inputs = {
            port.any_name: tuple(side.get_length() if side.is_static else None for side in port.partial_shape)[1:]
            for port in compiled.inputs
        }
        self.outputs = tuple(port.any_name for port in compiled.outputs)
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.number):
            self._free.put(compiled.create_infer_request())

    def __call__(self, feed: Feed) -> dict[str, NDArray[Any]]:
        request = self._free.get()
        try:
            request.infer({name: np.ascontiguousarray(values) for name, values in feed.items()}, share_inputs=True)
            return {name: request.get_tensor(name).data.copy() for name in self.outputs}
        finally:
            self._free.put(request)


def _properties(settings: EngineSettings) -> dict[str, Any]:
    """The settings in OpenVINO's words."""
    properties: dict[str, Any] = {"PERFORMANCE_HINT": settings.mode.upper(), "CPU_RUNTIME_CACHE_CAPACITY": PREPARED}
    if settings.precision != "auto":
        properties["INFERENCE_PRECISION_HINT"] = HINTS[settings.precision]
    if settings.threads is not None:
        properties["INFERENCE_NUM_THREADS"] = settings.threads
    return properties


def _filled(values: NDArray[Any], size: int) -> NDArray[Any]:
    """The values, the last of them repeated up to `size`."""
    missing = size - len(values)
    return values if not missing else np.concatenate([values, np.repeat(values[-1:], missing, axis=0)])
