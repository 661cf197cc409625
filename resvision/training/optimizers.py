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
    bias_factor      factor of the learning rate of biases, normalization's apart: 2 in nets of Caffe
    head_factor      factor of the learning rate of the layers after the last stage, which are new where the stages are
                     pre-trained
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
    bias_factor: Positive = 1.0
    head_factor: Positive = 1.0
    depth_decay: Decay = 1.0

    def __post_init__(self) -> None:
        if self.nesterov and self.name == "sgd" and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")

    @property
    def by_depth(self) -> bool:
        """Whether the learning rate of a parameter depends on its distance to the head."""
        return self.depth_decay != 1 or self.head_factor != 1


def build_optimizer(
    net: nn.Module, settings: OptimizerSettings, distances: Mapping[str, int] | None = None
) -> torch.optim.Optimizer:
    """Build the optimizer over `net`'s trainable parameters, in groups: weights, norms and biases, slopes of PReLU.

    distances  stages from each parameter to the head, by name; where rates go by depth each distance has its own
               groups, the head's first, whose LR_FACTOR is depth_decay ** distance, times head_factor for the head
    """
    parameters = [(name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad]
    # Where rates do not go by depth all parameters have distance 0, so that there are the usual groups alone.
    assert not settings.by_depth or distances is not None, "rates by depth need depths"
    distance_of = {name: 0 if distances is None or not settings.by_depth else distances[name] for name, _ in parameters}
    # A slope is one-dimensional like a bias, so only its module tells it apart.
    of_prelu = {id(module.weight) for module in net.modules() if isinstance(module, nn.PReLU)}
    biases = _biases(net) if settings.bias_factor != 1 else set()
    groups: list[dict[str, Any]] = []
    for distance in sorted({distance_of[name] for name, _ in parameters}):
        factor = settings.depth_decay**distance * (settings.head_factor if distance == 0 else 1.0)
        members = [parameter for name, parameter in parameters if distance_of[name] == distance]
        # Weights have two dimensions or more; scales, shifts and biases have one.
        weights = [parameter for parameter in members if parameter.ndim > 1]
        slopes = [parameter for parameter in members if id(parameter) in of_prelu]
        quick = [parameter for parameter in members if id(parameter) in biases]
        apart = of_prelu | biases
        others = [parameter for parameter in members if parameter.ndim <= 1 and id(parameter) not in apart]
        for group, decay, own_factor in (
            (weights, settings.weight_decay, 1.0),
            (others, settings.norm_bias_decay, 1.0),
            (slopes, 0.0, 1.0),
            (quick, settings.norm_bias_decay, settings.bias_factor),
        ):
            share = factor * own_factor
            groups.append({"params": group, "weight_decay": decay, "lr": settings.lr * share, LR_FACTOR: share})
    # A checkpoint stores the state by the position of a parameter in its groups: their order must never change.
    # Optimizers refuse empty groups.
    groups = [group for group in groups if group["params"]]
    if settings.name == "adamw":
        return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, fused=True)
    return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov, fused=True)


def _biases(net: nn.Module) -> set[int]:
    """The identities of the biases of convolutions and linear layers, but not the shifts of normalization."""
    layers = (nn.Linear, nn.modules.conv._ConvNd)
    return {id(module.bias) for module in net.modules() if isinstance(module, layers) and module.bias is not None}
