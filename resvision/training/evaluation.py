"""Predictions over a whole data set, every image once, on any number of processes."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from resvision.contracts import Batch, System, to_device
from resvision.training.machine import Machine, autocast


class Predictions(NamedTuple):
    """Results in the order of the data set: outputs (N, ...) float32, targets (N,), on every process."""

    outputs: NDArray[np.float32]
    targets: NDArray[np.int64]


@torch.no_grad()
def predict_all(system: System, batches: Iterable[Batch], *, machine: Machine) -> Predictions:
    """What `system.predict` says of every batch, gathered over all processes and put in the order of ids.

    `batches` are this process's share. The system is in evaluation mode during the call and as before after it.
    """
    was_training = system.training
    system.eval()
    if dist.is_initialized():  # each process has its own running statistics; those of process 0 go into the checkpoint
        for buffer in system.net.buffers():
            dist.broadcast(buffer, src=0)
    device = next(system.net.parameters()).device
    parts: list[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]] = []
    for batch in batches:
        with autocast(machine):
            results = system.predict(to_device(batch.inputs, device))
        parts.append((batch.ids.numpy(), results.float().cpu().numpy(), batch.targets.numpy()))
    system.train(was_training)
    if dist.is_initialized():
        shares: list[list[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]]]
        shares = [[] for _ in range(dist.get_world_size())]
        dist.all_gather_object(shares, parts)
        parts = [part for share in shares for part in share]
    ids, outputs, targets = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(ids)
    assert len(np.unique(ids)) == len(ids), "an image was counted twice"
    return Predictions(outputs[order], targets[order])
