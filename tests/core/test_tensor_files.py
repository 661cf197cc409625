import numpy as np
import pytest
from safetensors.numpy import load

from resvision.core.tensor_files import tensor_bytes

TABLE = np.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    "array",
    [TABLE, TABLE.T, TABLE[:, ::2], TABLE[::-1], np.asfortranarray(TABLE), TABLE.astype(np.float32).T, np.array(7)],
    ids=["rows", "transposed", "every other column", "reversed", "by columns", "cast", "a number"],
)
def test_arrays_come_back_however_they_lie_in_memory(array: np.ndarray) -> None:
    back = load(tensor_bytes({"it": array}))["it"]
    assert back.shape == array.shape
    assert np.array_equal(back, array)
