"""Batch normalization over the images of all processes (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167).

torch's own SyncBatchNorm is for CUDA alone. This one is written as the formula: sums over all processes, whose
gradients are sums over all processes again.

Glossary
    x     a map, (N, C, ...), N the images of this process
    mean  over images and positions of all processes, shaped (1, C, 1, ...)
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def use(net: nn.Module) -> nn.Module:
    """The net, whose batch normalizations from now on take statistics over all processes; state and structure stay."""
    for module in net.modules():
        if type(module) in SYNCHRONIZED:
            module.__class__ = SYNCHRONIZED[type(module)]
    return net


class _Synchronized(nn.modules.batchnorm._BatchNorm):
    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) of this process, normalized by the statistics of all."""
        if not self.training or not dist.is_initialized():
            return super().forward(x)
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        axes = [0, *range(2, x.dim())]
        shape = [1, -1, *[1] * (x.dim() - 2)]
        number = values.new_tensor(values.numel() / values.shape[1])
        dist.all_reduce(number)  # processes may have different numbers of pixels
        mean = _SumOverProcesses.apply(values.sum(axes)) / number
        centred = values - mean.view(shape)
        variance = _SumOverProcesses.apply(centred.square().sum(axes)) / number
        self._remember(mean.detach(), variance.detach() * (number / (number - 1)))
        normalized = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normalized = normalized * self.weight.view(shape) + self.bias.view(shape)
        result: Tensor = normalized.to(x.dtype)
        return result

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics towards those of the batch; `variance` is that of a sample."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


class _SumOverProcesses(torch.autograd.Function):
    """The sum over all processes, whose gradient is the sum of the gradients in all of them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _summed(values)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _summed(grad)


def _summed(values: Tensor) -> Tensor:
    values = values.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(values)
    return values


class SyncBatchNorm1d(_Synchronized, nn.BatchNorm1d):
    """Over vectors or sequences."""


class SyncBatchNorm2d(_Synchronized, nn.BatchNorm2d):
    """Over maps."""


class SyncBatchNorm3d(_Synchronized, nn.BatchNorm3d):
    """Over volumes."""


SYNCHRONIZED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: SyncBatchNorm1d,
    nn.BatchNorm2d: SyncBatchNorm2d,
    nn.BatchNorm3d: SyncBatchNorm3d,
}
