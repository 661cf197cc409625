"""Atrous convolutions of OpenVINO graphs, as sums of 1x1 convolutions where matrix units would starve otherwise.

In bf16 on a CPU with AMX, OpenVINO 2026.4 computes 3x3 kernels of large dilation over many channels at a fraction of
the rate of other convolutions. The three of an atrous spatial pyramid (2048 channels to 256 over 65 x 65, rates 12, 24
and 36) take 260, 425 and 600 ms on one core; as sums of 1x1 convolutions, one for each tap of the kernel, over the part
of the map that the tap sees, they take 45, 34 and 28 ms. In fp32, and in bf16 without AMX, sums take up to a tenth
longer, so they are made where matrix units are at work alone.
"""

import itertools
from typing import Any

import numpy as np

from resvision.core.processor import instructions
from resvision.runtime.quiet_imports import engine

MATRIX_UNITS = "AMX-BF16"
"""The instructions, in the words of `core.processor`, with which a sum is faster."""

SPREAD = 6144
"""Input channels times dilation from which a sum is faster: it was at 1024 x 6 and 2048 x 4, and not at 512 x 8."""


def sums_pay(precision: str) -> bool:
    """Whether sums are faster on this processor in OpenVINO's number format `precision`, such as bf16."""
    return precision == "bf16" and MATRIX_UNITS in instructions()


def sum_over_taps(model: Any) -> int:
    """Write the atrous convolutions of a model with fixed shapes that a sum is faster for as sums; their number.

    They are of stride 1, without groups, keep the size of their maps, and have constant weights in floats.
    """
    convolutions = [operator for operator in model.get_ordered_ops() if _is_wide(operator)]
    for convolution in convolutions:
        convolution.output(0).replace(_sum(convolution))
    return len(convolutions)


def _is_wide(operator: Any) -> bool:
    """Whether an operator is a convolution for which the sum is faster."""
    if operator.get_type_name() != "Convolution" or operator.get_input_partial_shape(0).is_dynamic:
        return False
    given = operator.get_attributes()
    kernel, rates = operator.get_input_shape(1)[2:], given["dilations"]
    centred = [rate * (taps // 2) for rate, taps in zip(rates, kernel, strict=True)]
    keeps_size = given["pads_begin"] == given["pads_end"] == centred and all(taps % 2 for taps in kernel)
    spread = operator.get_input_shape(0)[1] * min(rates)
    plain = given["strides"] == [1] * len(kernel) and len(kernel) == len("hw")
    return plain and keeps_size and spread >= SPREAD and _weights(operator) is not None


def _weights(convolution: Any) -> Any:
    """The weights (O, C, kh, kw) float32; None where they are no constant, or one of whole numbers.

    Weights that are stored in fp16 are a constant that is converted.
    """
    node = convolution.input_value(1).get_node()
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant" or not node.get_element_type().is_real():
        return None
    return np.asarray(node.data, np.float32)


def _sum(convolution: Any) -> Any:
    """The output of the sum over the taps, (N, O, H, W)."""
    operations = engine("openvino").opset13
    weights, rates = _weights(convolution), convolution.get_attributes()["dilations"]
    maps = convolution.input_value(0)
    sides = convolution.get_input_shape(0)[2:]
    terms = []
    for tap in itertools.product(*map(range, weights.shape[2:])):
        shifts = [(place - taps // 2) * rate for place, taps, rate in zip(tap, weights.shape[2:], rates, strict=True)]
        if any(abs(shift) >= side for shift, side in zip(shifts, sides, strict=True)):
            continue  # this tap sees padding alone
        first, behind = [max(0, shift) for shift in shifts], [max(0, -shift) for shift in shifts]
        end = [side - pad for side, pad in zip(sides, behind, strict=True)]
        seen = operations.slice(maps, first, end, [1, 1], [2, 3]) if any(shifts) else maps
        kernel = operations.constant(np.ascontiguousarray(weights[:, :, *tap][:, :, None, None]))
        term = operations.convolution(seen, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
        if any(shifts):  # back to the place of the pixels that it adds to
            term = operations.pad(term, [0, 0, *behind], [0, 0, *first], "constant", operations.constant(np.float32(0)))
        terms.append(term)
    total = terms[0]
    for term in terms[1:]:
        total = operations.add(total, term)
    return total.output(0)
