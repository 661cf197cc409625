"""What this machine can do at best: products of large matrices by number format, and copies of memory."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from resvision.bench.rounds import best_s
from resvision.core import references
from resvision.core.cores import usable_threads
from resvision.core.errors import MissingExtraError
from resvision.core.references import is_installed
from resvision.runtime.openvino_core import openvino_core
from resvision.runtime.quiet_imports import engine

SIDE = 2048
"""The side of the square matrices."""
COPIED_BYTES = 2**28
"""Bytes of a copy: more than caches hold."""
LEVELS = 256
"""Values of a number of 8 bits."""


def ceilings(*, least_s: float = 0.5) -> dict[str, float]:
    """Operations a second of matrix products by number format, and under `copy` bytes copied a second.

    An addition and a multiplication are two operations. Products are OpenVINO's where it is installed, torch's where
    that is, numpy's otherwise; a format that none of them computes is left out.
    """
    rates = {}
    for name, product in _products():
        with suppress(RuntimeError):  # of a format that this processor has no kernel for
            rates[name] = 2 * SIDE**3 / best_s(product, least_s=least_s)
    return {**rates, "copy": COPIED_BYTES / best_s(_copies(), least_s=least_s)}


def _products() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield a product of two matrices in each format."""
    try:
        openvino = engine("openvino")
    except MissingExtraError:
        yield from _products_without_engine()
        return
    for name, hint in {"fp32": "f32", "bf16": "bf16", "int8": "f32"}.items():
        compiled = openvino_core().compile_model(
            _product_graph(openvino, in_int8=name == "int8"),
            "CPU",
            {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"},
        )
        request = compiled.create_infer_request()
        yield name, partial(request.infer, [_matrix()], share_inputs=True)


def _product_graph(openvino: Any, *, in_int8: bool) -> Any:
    """The graph of a product of a matrix with a constant one, its numbers rounded to 8 bits where that is asked for."""
    operations = openvino.opset13
    given = operations.parameter([SIDE, SIDE], np.float32)
    factor, weights = given, operations.constant(_matrix())
    if in_int8:  # the forms that the engine computes in whole numbers: weights around 0, one level less
        low, high, highest = np.float32(-1), np.float32(1), np.float32(127 / 128)
        factor = operations.fake_quantize(given, low, highest, low, highest, LEVELS)
        weights = operations.fake_quantize(weights, low, high, low, high, LEVELS - 1)
    return openvino.Model([operations.matmul(factor, weights, False, True)], [given])


def _products_without_engine() -> Iterator[tuple[str, Callable[[], object]]]:
    if is_installed("torch"):
        yield from references.load("resvision.bench.torch_products:products", noun="products")(_matrix())
    else:
        matrix = _matrix()
        yield "fp32", partial(np.matmul, matrix, matrix)


def _matrix() -> Any:
    return np.random.default_rng(0).uniform(-1, 1, (SIDE, SIDE)).astype(np.float32)


def _copies() -> Callable[[], object]:
    """A copy of a large array, a part by each thread."""
    threads = usable_threads()
    source = np.ones(COPIED_BYTES, np.uint8)
    parts = [*zip(np.array_split(source, threads), np.array_split(np.empty_like(source), threads), strict=True)]
    pool = ThreadPoolExecutor(threads)
    return lambda: [*pool.map(lambda part: np.copyto(part[1], part[0]), parts)]
