"""Bundles in int8: what stays in floats, what is lost, and what is refused."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resvision.core.errors import MissingExtraError, RunError
from resvision.export.int8 import kept_in_floats, write_int8_bundle
from resvision.inference.evaluate import open_images
from resvision.inference.load import Trained, load
from resvision.launch import Finished
from resvision.prediction.exams import examined
from resvision.runtime.bundle import open_bundle
from resvision.runtime.engines import EngineSettings
from resvision.runtime.openvino_core import openvino_core
from resvision.runtime.quiet_imports import engine

FP32 = EngineSettings(precision="fp32", threads=1)
with_nncf = pytest.mark.skipif(find_spec("nncf") is None, reason="nncf is not installed: pip install 'resvision[int8]'")
its_warnings = pytest.mark.filterwarnings("default")  # of a package that we do not write


@pytest.fixture(scope="module")
def run(finished: Finished) -> Trained:
    return load(finished.folder)


@with_nncf
@its_warnings
def test_a_run_in_int8_says_what_it_was_measured_on_and_keeps_its_score(run: Trained, tmp_path: Path) -> None:
    reader = open_images(run).reader
    bundle = write_int8_bundle(run, tmp_path / "bundle", reader=reader, images=40, bound=0.05, settings=FP32)
    manifest = bundle.manifest
    assert (manifest.weights, manifest.graph) == ("int8", "graph.xml")
    assert {*manifest.sums} == {"run.json", "graph.xml", "graph.bin"}
    assert manifest.calibration is not None
    assert (manifest.calibration.data, manifest.calibration.images) == ("digits/train", 40)
    assert manifest.measured is not None
    assert manifest.measured.engine.endswith("int8 and fp32")
    again = examined(open_bundle(tmp_path / "bundle", FP32), reader).figures()[run.kind.main]
    assert again == manifest.measured.after
    assert manifest.measured.after == pytest.approx(manifest.measured.before, abs=0.05)
    kinds = {op.get_type_name() for op in openvino_core().read_model(tmp_path / "bundle/graph.xml").get_ops()}
    assert "FakeQuantize" in kinds


@with_nncf
@its_warnings
def test_nothing_is_left_where_more_is_lost_than_was_allowed(run: Trained, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"by the graph, more than -1 apart; nothing was written") as refused:
        write_int8_bundle(run, tmp_path / "bundle", reader=open_images(run).reader, images=2, bound=-1.0, settings=FP32)
    assert "\n" not in str(refused.value)
    assert [*tmp_path.iterdir()] == []


def test_the_package_that_is_missing_is_named(run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(MissingExtraError, match=r"resvision\[int8\]"):
        write_int8_bundle(run, tmp_path / "bundle", reader=open_images(run).reader)
    assert [*tmp_path.iterdir()] == []


def test_what_follows_the_layers_and_what_makes_no_maps_stays_in_floats() -> None:
    operations: Any = engine("openvino").opset13
    weights = operations.constant(np.ones((2, 2, 3, 3), np.float32))
    taken = operations.parameter([1, 2, 8, 8], np.float32)

    def layer(maps: Any, name: str) -> Any:
        return operations.convolution(maps, weights, [1, 1], [1, 1], [1, 1], [1, 1], name=name)

    between = operations.relu(layer(taken, "first"), name="between")
    boxes = operations.exp(operations.reduce_mean(between, np.array([2, 3]), name="means"), name="boxes")
    moved = operations.add(
        between, operations.reshape(boxes, np.array([1, 2, 1, 1]), special_zero=False, name="back"), name="moved"
    )
    decoded = operations.sigmoid(layer(moved, "second"), name="decoded")
    model = engine("openvino").Model([decoded], [taken])
    assert {*kept_in_floats(model)} & {"first", "between", "means", "boxes", "moved", "second", "decoded"} == {
        "means",
        "boxes",
        "decoded",
    }
