"""Atrous convolutions of OpenVINO graphs, as sums of 1x1 convolutions where matrix units would starve otherwise.

In bf16 on a CPU with AMX, OpenVINO 2026.4 computes 3x3 kernels of large dilation over many channels at a fraction of
the rate of other convolutions. The three of an atrous spatial pyramid (2048 channels to 256 over 65 x 65, rates 12, 24
and 36) take 260, 425 and 600 ms on one core; as sums of 1x1 convolutions, one for each tap of the kernel, over the part
of the map that the tap sees, they take 45, 34 and 28 ms. Where the sides of a map are free, every tap sees a whole one,
cut from one that is padded. In fp32, and in bf16 without AMX, sums take up to a tenth longer, so they are made where
matrix units are at work alone.
"""

import itertools
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvision.core.processor import instructions
from resvision.runtime.graph_constants import constant_of
from resvision.runtime.quiet_imports import engine

MATRIX_UNITS = "AMX-BF16"
"""The instructions, in the words of `core.processor`, with which a sum is faster."""

TO_THE_END = np.iinfo(np.int64).max
SPREAD = 6144
"""Input channels times dilation from which a sum is faster: it was at 1024 x 6 and 2048 x 4, and not at 512 x 8."""


def sums_pay(precision: str) -> bool:
    """Whether sums are faster on this processor in OpenVINO's number format `precision`, such as bf16."""
    return precision == "bf16" and MATRIX_UNITS in instructions()


def sum_over_taps(model: Any) -> int:
    """Write the atrous convolutions of a model that a sum is faster for as sums; their number.

    They are of stride 1, without groups, keep the size of their maps, and have constant weights in floats.
    """
    convolutions = [operator for operator in model.get_ordered_ops() if _is_wide(operator)]
    for convolution in convolutions:
        free = convolution.get_input_partial_shape(0).is_dynamic
        terms = _terms_of_padded(convolution) if free else _terms_of_parts(convolution)
        convolution.output(0).replace(_sum(terms))
    return len(convolutions)


def _is_wide(operator: Any) -> bool:
    """Whether an operator is a convolution for which the sum is faster."""
    if operator.get_type_name() != "Convolution" or _weights(operator) is None:
        return False
    given = operator.get_attributes()
    _, channels, *kernel = operator.get_input_shape(1)
    rates = given["dilations"]
    centred = [rate * (taps // 2) for rate, taps in zip(rates, kernel, strict=True)]
    keeps_size = given["pads_begin"] == given["pads_end"] == centred and all(taps % 2 for taps in kernel)
    plain = given["strides"] == [1] * len(kernel) and len(kernel) == len("hw")
    return plain and keeps_size and channels * min(rates) >= SPREAD


def _weights(convolution: Any) -> Any:
    """The weights (O, C, kh, kw) float32; None where they are no constant, or one of whole numbers."""
    weights = constant_of(convolution.input_value(1).get_node())
    return weights if weights is not None and weights.dtype == np.float32 else None


def _terms_of_parts(convolution: Any) -> list[Any]:
    """What each tap adds, (N, O, H, W), from the part of the map that it sees; none for one that sees padding alone."""
    operations = engine("openvino").opset13
    weights, rates = _weights(convolution), convolution.get_attributes()["dilations"]
    maps = convolution.input_value(0)
    sides = convolution.get_input_shape(0)[2:]
    terms = []
    for tap in itertools.product(*map(range, weights.shape[2:])):
        shifts = [(place - taps // 2) * rate for place, taps, rate in zip(tap, weights.shape[2:], rates, strict=True)]
        if any(abs(shift) >= side for shift, side in zip(shifts, sides, strict=True)):
            continue
        first, behind = [max(0, shift) for shift in shifts], [max(0, -shift) for shift in shifts]
        end = [side - pad for side, pad in zip(sides, behind, strict=True)]
        seen = operations.slice(maps, first, end, [1, 1], [2, 3]) if any(shifts) else maps
        term = _product(seen, weights[:, :, *tap])
        if any(shifts):  # back to the place of the pixels that it adds to
            term = operations.pad(term, [0, 0, *behind], [0, 0, *first], "constant", operations.constant(np.float32(0)))
        terms.append(term)
    return terms


def _terms_of_padded(convolution: Any) -> list[Any]:
    """What each tap adds, (N, O, H, W), for any H and W, from whole maps that are cut from a padded one."""
    operations = engine("openvino").opset13
    given = convolution.get_attributes()
    weights, rates, pads = _weights(convolution), given["dilations"], given["pads_begin"]
    zero = operations.constant(np.float32(0))
    padded = operations.pad(convolution.input_value(0), [0, 0, *pads], [0, 0, *pads], "constant", zero)
    terms = []
    for tap in itertools.product(*map(range, weights.shape[2:])):
        first = [place * rate for place, rate in zip(tap, rates, strict=True)]
        behind = [2 * pad - start for pad, start in zip(pads, first, strict=True)]
        end = [-length if length else TO_THE_END for length in behind]
        seen = operations.slice(padded, first, end, [1, 1], [2, 3])
        terms.append(_product(seen, weights[:, :, *tap]))
    return terms


def _product(maps: Any, weights: NDArray[np.float32]) -> Any:
    """The 1x1 convolution of maps (N, C, h, w) by weights (O, C)."""
    operations = engine("openvino").opset13
    kernel = operations.constant(np.ascontiguousarray(weights[:, :, None, None]))
    return operations.convolution(maps, kernel, [1, 1], [0, 0], [0, 0], [1, 1])


def _sum(terms: list[Any]) -> Any:
    """The output of the sum of terms."""
    return reduce(engine("openvino").opset13.add, terms).output(0)
