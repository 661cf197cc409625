"""Bundles on engines, as `predict` runs them."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from resvision.bench.contenders import Subject
from resvision.core.errors import SettingsError
from resvision.kinds.seen_samples import Seen
from resvision.prediction.predictions import predicted
from resvision.prediction.predictor import Predictor
from resvision.runtime.bundle import open_bundle
from resvision.runtime.bundle_format import read_manifest
from resvision.runtime.engines import EngineSettings


class OnEngine:
    """A bundle on an engine, a `Contender`: one call at a time for views, as many as is best for files."""

    def __init__(self, folder: Path, settings: EngineSettings, precision: str) -> None:
        self._folder, self._settings = folder, settings
        self._bundle = open_bundle(folder, settings)
        self.precision, self.described = precision, self._bundle.graph.described

    def on_views(self, views: Sequence[Seen]) -> Callable[[], object]:
        """The graph, from pixels to raw results."""
        return lambda: self._bundle.raw(views)

    def on_files(self, files: Sequence[Path]) -> Callable[[], int]:
        """Files to results, many beside each other."""
        return labelling(open_bundle(self._folder, replace(self._settings, mode="throughput")), files)


def labelling(model: Predictor, files: Sequence[Path]) -> Callable[[], int]:
    """The prediction of files, as `predict` does it."""

    def labelled() -> int:
        with closing(predicted(model, files, with_images=False)) as results:
            return sum(1 for _ in results)

    return labelled


def onnxruntime(subject: Subject) -> OnEngine:
    """The bundle by ONNX Runtime."""
    return _in_floats(subject, EngineSettings(engine="onnxruntime", precision="fp32"), "fp32")


def openvino_fp32(subject: Subject) -> OnEngine:
    """The bundle by OpenVINO, all products in fp32."""
    return _in_floats(subject, EngineSettings(precision="fp32"), "fp32")


def openvino_bf16(subject: Subject) -> OnEngine:
    """The bundle by OpenVINO in bf16; SettingsError on a processor that computes in fp32 all the same."""
    contender = _in_floats(subject, EngineSettings(precision="bf16"), "bf16")
    if not contender.described.endswith("bf16"):
        raise SettingsError(f"this processor has no bf16: {contender.described}")
    return contender


def openvino_int8(subject: Subject) -> OnEngine:
    """The bundle in int8, where it is one already; SettingsError for another."""
    if read_manifest(subject.folder).weights != "int8":
        raise SettingsError("the bundle is not in int8; export its run with --precision int8")
    return OnEngine(subject.folder, EngineSettings(), "int8")


def _in_floats(subject: Subject, settings: EngineSettings, precision: str) -> OnEngine:
    if read_manifest(subject.folder).weights == "int8":
        raise SettingsError("the bundle is in int8")
    return OnEngine(subject.folder, settings, precision)
