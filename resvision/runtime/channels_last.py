"""Pixels of OpenVINO graphs, normalized before they are transposed.

Exported nets take pixels (N, h, w, C), as images lie in memory, transpose them to (N, C, h, w), and normalize them.
OpenVINO's convolutions read (N, h, w, C) again, so the transposition costs a copy, and the way back another. A
transposition right before a convolution costs neither: ResNet-50 gained 3 % with single images and 5 % with batches of
16. Of a single channel it costs nothing anyway, and is left.
"""

from typing import Any

from numpy.typing import NDArray

from resvision.runtime.graph_constants import constant_of
from resvision.runtime.quiet_imports import engine

TO_CHANNELS_FIRST = [0, 3, 1, 2]
ARITHMETIC = {"Add", "Subtract", "Multiply", "Divide"}
"""Operators that normalize, by a constant for each channel or one for all."""


def normalize_channels_last(model: Any) -> int:
    """Have a model normalize its pixels before it transposes them; the number of operators that changed places."""
    return sum(_moved(use.get_node()) for port in model.inputs for use in port.get_target_inputs())


def _moved(transpose: Any) -> int:
    """Move what follows a transposition of pixels before it; the number of operators."""
    if transpose.get_type_name() != "Transpose":
        return 0
    order = constant_of(transpose.input_value(1).get_node())
    maps, last, moved = transpose.input_value(0), transpose, 0
    if order is None or order.tolist() != TO_CHANNELS_FIRST or maps.get_partial_shape()[-1] == 1:
        return 0
    operations = engine("openvino").opset13
    while (step := _normalizing(last)) is not None:
        last, constant = step
        if constant is None:
            maps = operations.convert(maps, last.get_element_type()).output(0)
        else:
            arithmetic = getattr(operations, last.get_type_name().lower())
            placed = operations.constant(constant.reshape(1, 1, 1, -1), last.get_input_element_type(1))
            maps = arithmetic(maps, placed).output(0)
        moved += 1
    if moved:
        last.output(0).replace(operations.transpose(maps, TO_CHANNELS_FIRST).output(0))
    return moved


def _normalizing(operator: Any) -> tuple[Any, NDArray[Any] | None] | None:
    """The only follower of an operator, if it treats each channel by itself, and its constant; None for any other."""
    uses = [*operator.output(0).get_target_inputs()]
    follower = uses[0].get_node() if len(uses) == 1 else None
    if follower is not None and follower.get_type_name() == "Convert":
        return follower, None
    if follower is None or follower.get_type_name() not in ARITHMETIC or uses[0].get_index() != 0:
        return None
    constant = constant_of(follower.input_value(1).get_node())
    if constant is None:
        return None
    *outer, channels, height, width = (1, 1, 1, 1, *constant.shape)[-4:]
    return (follower, constant) if (*outer, height, width) == (1, 1, 1) and constant.size == channels else None
