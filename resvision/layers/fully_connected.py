"""Fully connected layers as convolutions, so that a classifier runs at every position of a larger map.

Sermanet et al. 2014, https://arxiv.org/abs/1312.6229, section 3.5; Simonyan and Zisserman 2014,
https://arxiv.org/abs/1409.1556, section 3.2.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from resvision.core.errors import SettingsError


def convolved(linear: nn.Linear, maps: Tensor, *, window: int = 1) -> Tensor:
    """The results of a linear layer at every position of maps (N, C, H, W), as a window x window convolution.

    The layer's inputs are a flattened window (C, window, window); the result is (N, O, H - window + 1, W - window + 1).
    """
    return F.conv2d(maps, linear.weight.view(linear.out_features, maps.shape[1], window, window), linear.bias)


def classify_everywhere(classifier: nn.Sequential, maps: Tensor, *, window: int) -> Tensor:
    """Logits at every position, (N, K, H - window + 1, W - window + 1), of maps (N, C, H, W), stride 1.

    The first linear layer of `classifier` is a window x window convolution, the others are 1x1, with the same weights.
    Raises SettingsError for maps smaller than the window.
    """
    height, width = maps.shape[2:]
    if min(height, width) < window:
        raise SettingsError(
            f"the last map is {height}x{width}, and the first fully connected layer sees {window}x{window}:"
            " give larger images"
        )
    for layer in classifier:
        if isinstance(layer, nn.Linear):
            maps, window = convolved(layer, maps, window=window), 1
        else:
            maps = layer(maps)
    return maps
