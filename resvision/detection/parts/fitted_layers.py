"""A linear layer whose weights are fitted in closed form or by another solver, and never by gradient descent."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resvision.contracts import fp32_or_more


class FittedLinear(nn.Module):
    """A linear layer (R, D) -> (R, M) of buffers: part of the state of a net, and none of its parameters.

    All zeros until they are fitted. It computes in float32, since a margin of 1 is the difference of large sums.
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(out_features, in_features))
        self.register_buffer("bias", torch.zeros(out_features))

    def forward(self, features: Tensor) -> Tensor:
        """The outputs of features (R, D)."""
        with torch.autocast("cuda" if features.is_cuda else "cpu", enabled=False):
            return F.linear(fp32_or_more(features), self.weight, self.bias)
