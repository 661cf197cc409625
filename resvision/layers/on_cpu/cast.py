"""What autocast does to the inputs of a convolution, for functions that it does not know."""

import torch
from torch import Tensor


def as_autocast(tensor: Tensor) -> Tensor:
    """The tensor as autocast would have a convolution take it."""
    if tensor.dtype == torch.float64 or not torch.is_autocast_enabled(tensor.device.type):
        return tensor
    return tensor.to(torch.get_autocast_dtype(tensor.device.type))
