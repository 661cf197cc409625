"""Fully connected layers as convolutions, so that a classifier runs at every position of a larger map.

Sermanet et al. 2014, https://arxiv.org/abs/1312.6229, section 3.5; Simonyan and Zisserman 2014,
https://arxiv.org/abs/1409.1556, section 3.2.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from resvision.core.errors import SettingsError


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
            kernel = layer.weight.view(layer.out_features, maps.shape[1], window, window)
            maps, window = F.conv2d(maps, kernel, layer.bias), 1
        else:
            maps = layer(maps)
    return maps
