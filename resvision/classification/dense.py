"""Classifiers as fully convolutional nets: Sermanet et al. 2013, OverFeat, https://arxiv.org/abs/1312.6229.

The classifier of a net is moved over the maps of a larger image.

Glossary
    N images, K classes
    maps  (N, C, h, w), what the convolutions of a net give
"""

from typing import Protocol, runtime_checkable

import torch.nn.functional as F
from torch import Tensor, nn


@runtime_checkable
class FullyConvolutional(Protocol):
    """A net that can be applied at every position of a larger image at once."""

    def class_map(self, images: Tensor) -> Tensor:
        """Logits at each position, (N, K, h, w), of images (N, C, H, W) at least as large as the net's input."""
        ...


def convolved(linear: nn.Linear, maps: Tensor, *, kernel: int = 1) -> Tensor:
    """A linear layer moved over maps as a kernel x kernel convolution, (N, out_features, h', w').

    The layer takes what `flatten` makes of (C, kernel, kernel).
    """
    weight = linear.weight.view(linear.out_features, -1, kernel, kernel)
    return F.conv2d(maps, weight, linear.bias)
