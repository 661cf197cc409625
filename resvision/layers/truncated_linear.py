"""A linear layer of low rank: what a truncated singular value decomposition leaves of a whole one.

Girshick 2015, https://arxiv.org/abs/1504.08083, section 3.1: a layer of u x v weights becomes two of t(u + v), with no
activation between them, and the bias at the second.

Glossary
    v, u  inputs and outputs
    t     rank, the number of singular values that are kept
"""

import torch
from torch import Tensor, nn


class TruncatedLinear(nn.Module):
    """From (..., v) over t values to (..., u)."""

    def __init__(self, inputs: int, outputs: int, *, rank: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(inputs, rank, bias=False)
        self.wide = nn.Linear(rank, outputs)

    def forward(self, values: Tensor) -> Tensor:
        """The outputs."""
        outputs: Tensor = self.wide(self.narrow(values))
        return outputs


def linear(inputs: int, outputs: int, *, rank: int | None) -> nn.Linear | TruncatedLinear:
    """A linear layer, whole or of a rank."""
    return nn.Linear(inputs, outputs) if rank is None else TruncatedLinear(inputs, outputs, rank=rank)


@torch.no_grad()
def truncated(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The two weights, (t, v) and (u, t), whose product is nearest to a weight (u, v) among those of that rank.

    The singular values are on the side of the inputs, as in the paper.
    """
    left, values, right = torch.linalg.svd(weight.double(), full_matrices=False)
    narrow, wide = values[:rank, None] * right[:rank], left[:, :rank]
    return narrow.to(weight.dtype), wide.to(weight.dtype)
