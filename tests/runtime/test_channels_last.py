"""Normalization that moves before the transposition of pixels gives what it gave behind it."""

from typing import Any

import numpy as np
import pytest

from resvision.runtime.channels_last import normalize_channels_last
from resvision.runtime.openvino_core import openvino_core
from resvision.runtime.quiet_imports import engine

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), dtype=np.uint8)
MEAN, STD = np.float32([120, 110, 100]).reshape(1, 3, 1, 1), np.float32([58, 57, 50]).reshape(3, 1, 1)


def model_of(
    channels: int = 3, *, half: bool = False, order: tuple[int, ...] = (0, 3, 1, 2), looked_at: int = 1
) -> Any:
    """A model that transposes pixels, normalizes them, and convolves them by `looked_at` convolutions."""
    openvino = engine("openvino")
    operations = openvino.opset13
    pixels = operations.parameter([2, 5, 4, channels], np.uint8)
    mean = operations.constant(MEAN[:, :channels].astype(np.float16 if half else np.float32))
    if half:
        mean = operations.convert(mean, np.float32)
    images = operations.convert(operations.transpose(pixels, [*order]), np.float32)
    images = operations.divide(operations.subtract(images, mean), operations.constant(STD[:channels]))
    images = operations.multiply(images, operations.constant(np.float32(2)))
    kernel = np.random.default_rng(1).standard_normal((4, channels, 3, 3), dtype=np.float32)
    convolved = [
        operations.convolution(images, operations.constant(kernel), [1, 1], [1, 1], [1, 1], [1, 1])
        for _ in range(looked_at)
    ]
    return openvino.Model(convolved, [pixels])


def operators(model: Any) -> list[str]:
    return [op.get_type_name() for op in model.get_ordered_ops() if op.get_type_name() not in ("Constant", "Parameter")]


def computed(model: Any, pixels: Any) -> Any:
    compiled = openvino_core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return compiled([pixels])[0]


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("looked_at", [1, 2])
def test_it_moves_as_a_whole(looked_at: int, half: bool) -> None:
    expected = computed(model_of(half=half, looked_at=looked_at), PIXELS)
    model = model_of(half=half, looked_at=looked_at)
    assert normalize_channels_last(model) == 4
    named = operators(model)
    assert (
        max(map(named.index, ("Subtract", "Divide", "Multiply")))
        < named.index("Transpose")
        < named.index("Convolution")
    )
    np.testing.assert_allclose(computed(model, PIXELS), expected, rtol=1e-6, atol=1e-5)
    assert normalize_channels_last(model) == 0


@pytest.mark.parametrize(
    ("channels", "order"), [(1, (0, 3, 1, 2)), (3, (0, 3, 2, 1))], ids=["one channel", "another transposition"]
)
def test_others_stay_what_they_are(channels: int, order: tuple[int, ...]) -> None:
    model = model_of(channels, order=order)
    before = operators(model)
    assert normalize_channels_last(model) == 0
    assert operators(model) == before


def test_arithmetic_keeps_its_number_format() -> None:
    openvino = engine("openvino")
    operations = openvino.opset13
    pixels = operations.parameter([2, 5, 4, 3], np.uint8)
    images = operations.convert(operations.transpose(pixels, [0, 3, 1, 2]), np.float16)
    model = openvino.Model([operations.relu(operations.subtract(images, np.float16(MEAN)))], [pixels])
    assert normalize_channels_last(model) == 2
    np.testing.assert_array_equal(computed(model, PIXELS), (PIXELS.transpose(0, 3, 1, 2) - MEAN).clip(0))


def test_arithmetic_that_mixes_places_stays_behind() -> None:
    openvino = engine("openvino")
    operations = openvino.opset13
    pixels = operations.parameter([2, 5, 4, 3], np.uint8)
    images = operations.convert(operations.transpose(pixels, [0, 3, 1, 2]), np.float32)
    weighed = operations.multiply(images, operations.constant(np.float32(range(4)).reshape(1, 1, 1, 4)))
    model = openvino.Model([operations.relu(weighed)], [pixels])
    expected = PIXELS.transpose(0, 3, 1, 2) * np.float32(range(4))
    assert normalize_channels_last(model) == 1  # the conversion alone
    np.testing.assert_array_equal(computed(model, PIXELS), expected)
