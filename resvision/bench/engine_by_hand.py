"""OpenVINO as one uses it without this package: a graph, compiled and asked, and no more."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from resvision.bench.contenders import Subject
from resvision.core import references
from resvision.core.errors import ResVisionError, SettingsError
from resvision.kinds.seen_samples import Seen
from resvision.runtime.bundle_format import read_manifest
from resvision.runtime.openvino_core import openvino_core
from resvision.runtime.quiet_imports import engine

LATENCY = {"PERFORMANCE_HINT": "LATENCY"}


class ByHand:
    """A graph on OpenVINO without any code of ours, a `Contender` of views alone: one request for each batch."""

    def __init__(self, model_of: Callable[[int], Any], inputs_of: Callable[[Sequence[Seen]], Any], what: str) -> None:
        self._openvino = engine("openvino")
        self._model_of, self._inputs_of = model_of, inputs_of
        try:
            hint = self._compiled(1).get_property("INFERENCE_PRECISION_HINT").to_string()
        except RuntimeError as error:
            raise SettingsError(f"OpenVINO cannot take {what}: {str(error).strip().splitlines()[-1]}") from None
        self.precision = {"f32": "fp32"}.get(hint, hint)
        version = self._openvino.__version__.partition("-")[0]
        self.described = f"OpenVINO {version} by hand, {what}, {self.precision}"

    def on_views(self, views: Sequence[Seen]) -> Callable[[], object]:
        """The graph alone; what it takes is made beforehand."""
        inputs = self._inputs_of(views)
        compiled = self._compiled(len(views))
        size = compiled.inputs[0].shape[0]
        request = compiled.create_infer_request()
        parts = [np.ascontiguousarray(inputs[first : first + size]) for first in range(0, len(inputs), size)]
        return lambda: [request.infer([part], share_inputs=True) for part in parts]

    def on_files(self, files: Sequence[Path]) -> None:
        """Nothing."""

    def _compiled(self, size: int) -> Any:
        return openvino_core().compile_model(self._model_of(size), "CPU", LATENCY)


def openvino_by_hand(subject: Subject) -> ByHand:
    """torchvision's net as OpenVINO converts it, or our own graph where there is none that it takes."""
    if (theirs := _of_torchvision(subject)) is not None:
        model_of, inputs_of = theirs
        return ByHand(model_of, inputs_of, "torchvision's net")
    return ByHand(partial(_of_bundle, subject.folder), _stacked, "our graph")


def _of_torchvision(subject: Subject) -> Any:
    """The model and the inputs of torchvision's net, as `usual_contenders.converted` gives them; None without one."""
    if subject.trained is None:
        return None
    try:
        return references.load("resvision.bench.usual_contenders:converted", noun="conversion")(subject)
    except ResVisionError:
        return None


def _stacked(views: Sequence[Seen]) -> Any:
    return np.stack([one.pixels for one in views])


def _of_bundle(folder: Path, size: int) -> Any:
    """The graph of a bundle for so many views, or for those that it takes."""
    manifest = read_manifest(folder)
    model = openvino_core().read_model(folder / manifest.graph)
    model.reshape({port: [manifest.batch or size, *manifest.usual_inputs[port.any_name]] for port in model.inputs})
    return model
