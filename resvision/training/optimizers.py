"""Optimizers: SGD with momentum as in the ResNet papers, and AdamW; norms and biases have a weight decay of their own.

Slopes of PReLU never decay, since that would pull them to ReLU: He et al. 2015, https://arxiv.org/abs/1502.01852.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from msgspec import Meta
from torch import nn

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Decay = Annotated[float, Meta(gt=0, le=1)]

LR_FACTOR = "lr_factor"
"""The key of a parameter group that holds its share of the run's learning rate."""


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """The settings of the optimizer.

    name             SGD with momentum, or AdamW
    lr               the peak of the learning rate; the schedule multiplies it by a factor at each step
    weight_decay     decay of weights with two or more dimensions; L2 for SGD, decoupled for AdamW
    norm_bias_decay  decay of normalization parameters and biases
    momentum         momentum of SGD; `nesterov` needs it positive
    nesterov         look ahead by the momentum (SGD)
    betas            decays of the means of gradients and of their squares (AdamW)
    depth_decay      factor of the learning rate from each stage to the one before it, the head having `lr` itself: for
                     fine-tuning, such as 0.5; 1 for one rate everywhere
    """

    name: Literal["sgd", "adamw"] = "sgd"
    lr: Positive = 0.1
    weight_decay: NotNegative = 1e-4
    norm_bias_decay: NotNegative = 0.0
    momentum: Share = 0.9
    nesterov: bool = False
    betas: tuple[Share, Share] = (0.9, 0.999)
    depth_decay: Decay = 1.0

    def __post_init__(self) -> None:
        if self.nesterov and self.name == "sgd" and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")


def build_optimizer(
    net: nn.Module, settings: OptimizerSettings, distances: Mapping[str, int] | None = None
) -> torch.optim.Optimizer:
    """Build the optimizer over `net`'s trainable parameters, in groups: weights, norms and biases, slopes of PReLU.

    distances  stages from each parameter to the head, by name; with a depth_decay below 1 each distance has its own
               groups, the head's first, whose LR_FACTOR is depth_decay ** distance
    """
    parameters = [(name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad]
    # Without a decay by depth all parameters have distance 0, so that there are the usual three groups alone.
    assert settings.depth_decay == 1 or distances is not None, "a decay by depth needs depths"
    distance_of = {
        name: 0 if distances is None or settings.depth_decay == 1 else distances[name] for name, _ in parameters
    }
    # A slope is one-dimensional like a bias, so only its module tells it apart.
    of_prelu = {id(module.weight) for module in net.modules() if isinstance(module, nn.PReLU)}
    groups: list[dict[str, Any]] = []
    for distance in sorted({distance_of[name] for name, _ in parameters}):
        factor = settings.depth_decay**distance
        members = [parameter for name, parameter in parameters if distance_of[name] == distance]
        # Weights have two dimensions or more; scales, shifts and biases have one.
        weights = [parameter for parameter in members if parameter.ndim > 1]
        others = [parameter for parameter in members if parameter.ndim <= 1 and id(parameter) not in of_prelu]
        slopes = [parameter for parameter in members if id(parameter) in of_prelu]
        for group, decay in ((weights, settings.weight_decay), (others, settings.norm_bias_decay), (slopes, 0.0)):
            groups.append({"params": group, "weight_decay": decay, "lr": settings.lr * factor, LR_FACTOR: factor})
    # A checkpoint stores the state by the position of a parameter in its groups: their order must never change.
    # Optimizers refuse empty groups.
    groups = [group for group in groups if group["params"]]
    if settings.name == "adamw":
        return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)
    return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov, fused=True)
