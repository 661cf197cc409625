"""Optimizers: SGD with momentum as in the ResNet papers, AdamW; weight decay apart for norms and biases.

Slopes of PReLU never decay, which would pull them to ReLU: He et al. 2015, https://arxiv.org/abs/1502.01852.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from msgspec import Meta
from torch import nn

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """What the optimizer is.

    lr               the peak; the schedule multiplies it by a factor at each step
    weight_decay     of weights with two or more dimensions; L2 for SGD, decoupled for AdamW
    norm_bias_decay  of normalization parameters and biases
    momentum         for SGD; `nesterov` needs it positive
    betas            for AdamW
    """

    name: Literal["sgd", "adamw"] = "sgd"
    lr: Positive = 0.1
    weight_decay: NotNegative = 1e-4
    norm_bias_decay: NotNegative = 0.0
    momentum: Share = 0.9
    nesterov: bool = False
    betas: tuple[Share, Share] = (0.9, 0.999)

    def __post_init__(self) -> None:
        if self.nesterov and self.name == "sgd" and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")


def build_optimizer(net: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """The optimizer over `net`'s trainable parameters, in groups: weights, norms and biases, slopes of PReLU."""
    slopes = [module.weight for module in net.modules() if isinstance(module, nn.PReLU) and module.weight.requires_grad]
    apart = {*map(id, slopes)}
    parameters = [parameter for parameter in net.parameters() if parameter.requires_grad and id(parameter) not in apart]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": settings.norm_bias_decay},
        {"params": slopes, "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.name == "adamw":
        return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)
    return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov, fused=True)
