"""Types of inputs under autocast, for functions that autocast does not know."""

import torch
from torch import Tensor


def as_autocast(tensor: Tensor) -> Tensor:
    """The tensor in the type to which autocast would cast the input of a convolution."""
    if tensor.dtype == torch.float64 or not torch.is_autocast_enabled(tensor.device.type):
        return tensor  # autocast leaves float64 alone, too
    return tensor.to(torch.get_autocast_dtype(tensor.device.type))


def in_cpu_bf16(maps: Tensor) -> bool:
    """Whether these are bf16 by autocast on a CPU, where products of matrices are far cheaper than all else.

    Outside autocast a net is torch's own layers in the order of its paper, whatever traces or exports it.
    """
    return torch.is_autocast_enabled("cpu") and maps.device.type == "cpu" and maps.dtype == torch.bfloat16
