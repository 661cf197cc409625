"""The processes of a training under torchrun: how they meet, what the first does for all, and one that stands still."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from rich.console import Console
from torch.distributed import Store  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from resvision.core.errors import ResVisionError, RunError
from resvision.training.machine import rank_and_world

PATIENCE = timedelta(minutes=10)
"""The time that a process waits for the others: compiling, checkpoints and downloads of the first one included."""

LATECOMERS_S = 5.0
"""Seconds in which processes whose wait ended together have all said so."""

BROKEN = ("Timed out waiting", "Connection closed by peer", "Connection reset by peer", "Broken pipe")
"""Words of gloo's errors where another process does not answer."""

_WAITED = "resvision/waited/{}"

_stores: list[Store] = []
"""The place where the processes met, none in a single process."""


def join(device: str) -> None:
    """Join the process group that torchrun started; nothing to do in a single process."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or dist.is_initialized():
        return
    backend = "gloo"
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))  # first: else all meet on device 0
        backend = "cpu:gloo,cuda:nccl"  # signals, settings and scores travel from the CPU
    store, rank, world = next(rendezvous("env://", timeout=PATIENCE))
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=PATIENCE)
    _stores[:] = [store]


@contextmanager
def stragglers_named() -> Iterator[None]:
    """Raise RunError, with the ranks, where other processes do not answer.

    Each process whose wait ends in vain says so in the store; the others stand still or have ended.
    """
    try:
        yield
    except RuntimeError as error:
        if not _stores or not any(word in str(error) for word in BROKEN):
            raise
        silent = _silent_ranks(_stores[0])
        named = f"process {' and '.join(map(str, silent))}" if silent else "a process"
        raise RunError(
            f"{named} of {dist.get_world_size()} stands still or has ended, the others waited for it"
            f" ({str(error).rpartition('] ')[2]:.80}); see to its machine and its data, and --resume the run"
        ) from None


def _silent_ranks(store: Store) -> list[int]:
    """The ranks that do not say within LATECOMERS_S that they have waited."""
    ranks = set(range(dist.get_world_size())) - {dist.get_rank()}
    try:
        store.set(_WAITED.format(dist.get_rank()), "yes")
        until = time.monotonic() + LATECOMERS_S
        while ranks and time.monotonic() < until:
            ranks = {rank for rank in ranks if not store.check([_WAITED.format(rank)])}
            time.sleep(0.05)
    except RuntimeError:  # the process that keeps the store is the one that is gone
        return [0]
    return sorted(ranks)


def only_first(console: Console) -> Console:
    """The console in process 0, a silent one in the others."""
    return console if is_first() else Console(quiet=True)


def is_first() -> bool:
    """Whether this process is the one that writes and speaks."""
    return rank_and_world()[0] == 0


def shared(make: Callable[[], Path]) -> Path:
    """Call `make` in process 0 and share the path with all; its ResVisionError is raised in all of them."""
    if not dist.is_initialized():
        return make()
    result: list[Path | ResVisionError] = []
    if dist.get_rank() == 0:
        try:
            result = [make()]
        except ResVisionError as error:
            result = [error]
    result = result or [Path()]
    dist.broadcast_object_list(result)
    if isinstance(result[0], ResVisionError):
        raise result[0]
    return result[0]
