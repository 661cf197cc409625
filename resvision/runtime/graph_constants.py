"""Constants of OpenVINO graphs, which may be stored in another number format than they are used in."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def constant_of(node: Any) -> NDArray[Any] | None:
    """The values of a constant, floats in fp32 whatever they are stored in; None for any other operator."""
    converted = node.get_type_name() == "Convert"
    if converted:
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant":
        return None
    is_real = node.get_element_type().is_real()
    if converted and not is_real:
        return None
    return np.asarray(node.data, np.float32 if is_real else None)
