"""The gradients of one batch over all its parts and all processes, and the values of its losses.

Glossary
    part    images of a batch whose gradients are computed at a time
    weight  the number by which a term's sum is divided: its images, judged pixels, or the weights of their classes
"""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from resvision.contracts import Batch, Losses, System, fp32_or_more, quotient, split
from resvision.core.errors import SettingsError, is_memory_shortage
from resvision.training.compiling import COMPILED
from resvision.training.machine import Machine, autocast, rank_and_world
from resvision.training.memory import too_large


class LossModule(nn.Module):
    """A system whose forward is its losses: the module that is compiled and distributed."""

    def __init__(self, system: System) -> None:
        super().__init__()
        self.system = system

    def forward(self, batch: Batch) -> Losses:
        """Losses of one batch."""
        return self.system.losses(batch)


def wrap(system: System, machine: Machine) -> nn.Module:
    """Wrap the system in a module that gives losses, in training mode, compiled and distributed as the machine says."""
    module: nn.Module = LossModule(system.train())
    if dist.is_initialized():
        module = DistributedDataParallel(module)  # before compiling, so that the graph knows where gradients are sent
    if machine.compile:
        module.compile(**COMPILED)
    return module


def backward(module: nn.Module, batch: Batch, *, system: System, machine: Machine, accumulate: int) -> dict[str, float]:
    """Add up the gradients of one batch, and return `loss`, its terms and the metrics over all processes.

    module      the system as `wrap` gives it
    batch       this process's share
    accumulate  parts that it is cut into
    """
    _, world = rank_and_world()
    parts = world * accumulate
    # With one part, the weights of its own terms are already those of the whole batch.
    weights = whole_weights(system, batch) if parts > 1 else {}
    sums: dict[str, Tensor] = {}
    for part in split(batch, accumulate):
        with autocast(machine):
            terms, metrics = module(part)
        means = [quotient(term.total, weights.get(name, parts * term.weight)) for name, term in terms.items()]
        loss = world * torch.stack(means).sum()  # DistributedDataParallel takes the mean over processes
        loss.backward()  # type: ignore[no-untyped-call]
        require_gradients(system)
        for name, term in {**terms, **metrics}.items():
            sums[name] = sums.get(name, 0) + torch.stack([fp32_or_more(value.detach()) for value in term])
    totals, counts = over_processes(torch.stack([*sums.values()])).unbind(dim=1)
    values = quotient(totals, counts)
    loss = values[: len(terms)].sum()
    return dict(zip(["loss", *sums], torch.stack([loss, *values]).tolist(), strict=True))


def require_gradients(system: System) -> None:
    """Raise SettingsError where processes share gradients of which one is missing: the others would not be summed."""
    if not dist.is_initialized():
        return
    unused = [name for name, weight in system.net.named_parameters() if weight.requires_grad and weight.grad is None]
    if unused:
        raise SettingsError(
            f"{', '.join(unused[:3])}: {len(unused)} parameters take no part in the loss, and then several processes"
            " cannot share gradients; take them out of the net, or train in one process"
        )


def backward_in_memory(
    module: nn.Module, batch: Batch, *, system: System, machine: Machine, accumulate: int
) -> dict[str, float]:
    """Do as `backward`; where memory does not suffice, SettingsError says how many images at a time fit."""
    try:
        return backward(module, batch, system=system, machine=machine, accumulate=accumulate)
    except (RuntimeError, MemoryError) as error:
        if not is_memory_shortage(error):
            raise
        reason = str(error).partition("\n")[0]

    # Outside of the block, for the error holds on to all that the step had computed.
    def attempt(parts: int) -> object:
        system.net.zero_grad(set_to_none=True)
        part = split(batch, parts)[0]
        return backward(LossModule(system), part, system=system, machine=machine, accumulate=1)

    alone = rank_and_world()[1] == 1
    raise too_large(reason, share=len(batch.ids), accumulate=accumulate, attempt=attempt if alone else None)


def whole_weights(system: System, batch: Batch) -> dict[str, Tensor]:
    """The weights that follow from the targets alone, over the whole batch of all processes."""
    weights = system.weights(batch)
    if not weights:
        return {}
    return dict(zip(weights, over_processes(torch.stack([*weights.values()])), strict=True))


def over_processes(values: Tensor) -> Tensor:
    """Sum a tensor over all processes, in place."""
    if dist.is_initialized():
        dist.all_reduce(values)
    return values
