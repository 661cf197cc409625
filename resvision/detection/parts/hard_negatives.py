"""Hard negatives: the background that a net takes for objects most surely, in each image.

Liu et al. 2016, https://arxiv.org/abs/1512.02325, section 2.2, train on three of them for each prior with an object.
"""

import math

import torch
from torch import Tensor


@torch.no_grad()
def hardest(loss: Tensor, among: Tensor, wanted: Tensor) -> Tensor:
    """Flags of the entries `among` (N, A) with the greatest loss (N, A) of their row, `wanted` (N,) of them or all."""
    count = min(int(wanted.max()), loss.shape[1])
    values, places = torch.where(among, loss, -math.inf).topk(count, dim=1)
    taken = (torch.arange(count, device=loss.device) < wanted[:, None]) & (values > -math.inf)
    return torch.zeros_like(among).scatter(1, places, taken)
