"""Atrous convolutions written as sums give what the convolutions give."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from resvision.bench.measuring import drawn_views
from resvision.export.bundles import write_bundle
from resvision.inference.load import load
from resvision.launch import Finished
from resvision.runtime import atrous, compiled_graphs
from resvision.runtime.bundle import open_bundle
from resvision.runtime.engines import EngineSettings
from resvision.runtime.openvino_core import openvino_core
from resvision.runtime.quiet_imports import engine

FP32 = EngineSettings(precision="fp32", threads=1)
SIDES = (9, 7)


def model_of(
    kernel: tuple[int, int], rates: tuple[int, int], *, pads: Any = None, half: bool = False, free: bool = False
) -> Any:
    """A model of one convolution of 5 channels to 3, over maps of SIDES, or of any sides where these are free."""
    openvino = engine("openvino")
    operations = openvino.opset13
    maps = operations.parameter([2, 5, *((-1, -1) if free else SIDES)], np.float32)
    drawn = np.random.default_rng(0).standard_normal((3, 5, *kernel))
    weights = operations.constant(drawn.astype(np.float16 if half else np.float32))
    if half:
        weights = operations.convert(weights, np.float32)
    pads = [rate * (taps // 2) for rate, taps in zip(rates, kernel, strict=True)] if pads is None else pads
    return openvino.Model([operations.convolution(maps, weights, [1, 1], pads, pads, [*rates])], [maps])


def computed(model: Any) -> Any:
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    maps = np.random.default_rng(1).standard_normal((2, 5, *SIDES), dtype=np.float32)
    return compiled([maps])[0]


@pytest.mark.parametrize(("half", "free"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(
    ("kernel", "rates"), [((3, 3), (2, 2)), ((3, 3), (6, 6)), ((3, 3), (8, 12)), ((3, 5), (3, 2)), ((1, 3), (1, 3))]
)
def test_a_sum_is_the_convolution(
    kernel: tuple[int, int], rates: tuple[int, int], half: bool, free: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atrous, "SPREAD", 5)
    expected = computed(model_of(kernel, rates, half=half))
    model = model_of(kernel, rates, half=half, free=free)
    assert atrous.sum_over_taps(model) == 1
    convolutions = [op for op in model.get_ops() if op.get_type_name() == "Convolution"]
    assert {tuple(op.get_input_shape(1)[2:]) for op in convolutions} == {(1, 1)}
    np.testing.assert_allclose(computed(model), expected, atol=1e-5)


def test_others_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    assert atrous.sum_over_taps(model_of((3, 3), (6, 6))) == 0  # of few channels
    monkeypatch.setattr(atrous, "SPREAD", 10)
    assert atrous.sum_over_taps(model_of((3, 3), (1, 1))) == 0
    assert atrous.sum_over_taps(model_of((3, 3), (2, 2), pads=[0, 0])) == 0
    assert atrous.sum_over_taps(model_of((3, 3), (2, 2))) == 1


def test_sums_are_made_in_bf16_on_matrix_units_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for found, pays in {("AMX-INT8", "AMX-BF16", "AVX512"): True, ("AVX512-BF16", "AVX512"): False, (): False}.items():
        monkeypatch.setattr(atrous, "instructions", lambda found=found: found)
        assert atrous.sums_pay("bf16") is pays
        assert not atrous.sums_pay("f32")


@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_a_bundle_answers_alike_in_sums(
    form: Any, segmented: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = write_bundle(
        load(segmented.folder), tmp_path / "bundle", reader=None, settings=FP32, form=form, size_px=32
    )
    side_px, _, channels = bundle.manifest.inputs["pixels"]
    feed = {"pixels": np.stack([view.pixels for view in drawn_views(2, side_px, channels)])}
    expected = bundle.graph(feed)
    monkeypatch.setattr(atrous, "SPREAD", 2)
    monkeypatch.setattr(atrous, "sums_pay", lambda precision: True)
    monkeypatch.setattr(compiled_graphs, "kept", lambda key: None)  # of an earlier session of tests
    counts, counted = [], atrous.sum_over_taps
    monkeypatch.setattr(atrous, "sum_over_taps", lambda model: counts.append(counted(model)))
    found = open_bundle(tmp_path / "bundle", FP32).graph(feed)
    assert counts
    assert min(counts) > 0
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-4)
