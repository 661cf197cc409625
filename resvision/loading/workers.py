"""Batches made by worker processes, which leave stop signals to the training loop."""

import os
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import torch
from torch.utils.data import DataLoader, Dataset

from resvision.contracts import Batch, Batches
from resvision.core.errors import ResVisionError, RunError
from resvision.core.own_modules import OWN_MODULES, OwnModules

STOP_SIGNALS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}


def batches(dataset: Batches, start: int, stop: int, *, workers: int) -> Generator[Batch, None, None]:
    """Yield batches number start, start + 1, ... stop - 1, made here or by that many worker processes.

    The batches do not depend on `workers`, and an error of ours in a worker is raised here as it is.
    """
    numbers = range(start, stop)
    if workers == 0:
        yield from (dataset[number] for number in numbers)
        return
    loader = DataLoader(
        _Guarded(dataset),
        batch_size=None,  # the data set gives whole batches
        sampler=numbers,
        num_workers=workers,
        worker_init_fn=_leave_signals_to_the_loop,
        generator=torch.Generator(),  # else a loader draws from the global generator of the net's dropout
    )
    with _blocked(STOP_SIGNALS):  # a worker must not meet one before it has left the process group
        running = iter(loader)
    for batch in running:
        if isinstance(batch, ResVisionError):
            raise batch
        yield batch


@contextmanager
def dead_workers_named() -> Iterator[None]:
    """Raise RunError, with the remedy, where the system ends a worker.

    torch reports it by a signal handler, so by an error anywhere in this thread.
    """
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise RunError(
            f"{error}; systems do so when memory or shared memory (/dev/shm) runs out: free some, and --resume the run"
        ) from None


@contextmanager
def _blocked(signals: set[signal.Signals]) -> Iterator[None]:
    """Deliver `signals` to this thread only after the block; processes started in it begin with them held."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows, which has no process groups to signal either
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_signals_to_the_loop(worker: int) -> None:
    """Leave the process group: the loop alone obeys its signals, writes a checkpoint and ends its workers.

    Signals sent to the group before that are dropped.
    """
    if not hasattr(os, "setpgid"):
        return
    os.setpgid(0, 0)
    # Pending signals must be taken before unblocking, which would deliver them and kill this worker.
    while pending := signal.sigpending() & STOP_SIGNALS:
        signal.sigwait(pending)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


class _Guarded(Dataset[Batch | ResVisionError]):
    """A data set that returns errors of ours, since a worker would raise them as a long traceback."""

    def __init__(self, dataset: Batches) -> None:
        self._dataset = dataset

    def __getstate__(self) -> tuple[OwnModules, Batches]:
        return OWN_MODULES, self._dataset  # in this order: a new process must find the modules before their classes

    def __setstate__(self, state: tuple[OwnModules, Batches]) -> None:
        _, self._dataset = state

    def __getitem__(self, number: int) -> Batch | ResVisionError:
        try:
            return self._dataset[number]
        except ResVisionError as error:
            return error
