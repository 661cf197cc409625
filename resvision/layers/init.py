"""Initial weights.

he      He et al. 2015, Delving Deep into Rectifiers, https://arxiv.org/abs/1502.01852, as the released ResNets draw
        them: variance 2 / fan-out, for the layers that a normalization follows
relu    the same paper's variance 2 / fan-in, which keeps the signal's size from ReLU to ReLU without a normalization
glorot  Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html
"""

import math

from torch import Tensor, nn


def he_initialize(net: nn.Module) -> None:
    """Draw every convolution, and every linear layer without bias, from N(0, 2 / fan_out), in place.

    A linear layer with bias is a classifier and stays as PyTorch draws it.
    Normalizations start at scale 1, shift 0, as PyTorch has them.
    """
    for module in net.modules():
        hidden = isinstance(module, nn.Linear) and module.bias is None
        if not (hidden or isinstance(module, nn.Conv2d)):
            continue
        assert isinstance(module.weight, Tensor)
        if not module.weight.is_meta:  # on meta there is nothing to draw, and trying is slow
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def relu_initialize(net: nn.Module, *, last: nn.Module) -> None:
    """Draw every convolution and linear layer from N(0, 2 / fan_in), in place; their biases become 0.

    `last` gives the logits, and no ReLU follows it: it is drawn from N(0, 0.01^2), so that training starts near even
    odds.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:
            if module is last:
                nn.init.normal_(module.weight, std=0.01)
            else:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def he_initialize_incoming(net: nn.Module) -> None:
    """Draw every convolution, transposed ones too, from N(0, 2 / N) for N incoming connections, in place; biases are 0.

    He et al. 2015, section 2.2, in its forward form. A value that a transposed convolution gives meets k^2 / stride^2
    positions of its k x k window.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not module.weight.is_meta:
            transposed = isinstance(module, nn.ConvTranspose2d)
            window = math.prod(module.kernel_size) / (math.prod(module.stride) if transposed else 1)
            nn.init.normal_(module.weight, std=math.sqrt(2 / (module.in_channels // module.groups * window)))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def glorot_initialize(net: nn.Module) -> None:
    """Draw every convolution and linear layer from N(0, 2 / (fan_in + fan_out)), in place; their biases become 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear) and not module.weight.is_meta:
            nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
