"""Branches that read one map, run so that all of them, and their gradients, lie in memory as that map does.

Tensors that are concatenated or summed take one layout, and a CPU copies those that have another. A pooling over all
positions loses the layout of its input, since a map of one position has both.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def run_last_first(branches: Sequence[nn.Module] | nn.ModuleList, x: Tensor) -> list[Tensor]:
    """The results of all branches on x, in the order of the branches; they run from the last to the first.

    Gradients with respect to x arrive in the opposite order. That of the last branch, which is to be the pooling, has
    another layout, and is then added to a sum that has its layout already.
    """
    results = [branch(x) for branch in reversed(branches)]
    return results[::-1]


def expand_as(means: Tensor, maps: Tensor) -> Tensor:
    """Means (N, C, 1, 1) copied to every position of `maps` (N, D, H, W), in their memory layout: (N, C, H, W)."""
    is_nhwc = maps.is_contiguous(memory_format=torch.channels_last)
    everywhere = means.expand(-1, -1, maps.shape[2], maps.shape[3])
    return everywhere.contiguous(memory_format=torch.channels_last if is_nhwc else torch.contiguous_format)
