"""Products of matrices by torch, for ceilings where no engine is installed."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def products(matrix: NDArray[Any]) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the product of a square matrix with itself in each format."""
    for name, dtype in DTYPES.items():
        factor = torch.from_numpy(matrix).to(dtype)
        yield name, partial(torch.matmul, factor, factor)
