"""Arrays as the content of a safetensors file."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save


def tensor_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The content of a safetensors file with arrays by name.

    The library writes memory as it lies, so that a transposed array, or every other column of one, would come back
    with its numbers in other places: such arrays are copied first.
    """
    return save({name: np.asarray(array, order="C") for name, array in arrays.items()})
