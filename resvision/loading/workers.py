"""Batches made by worker processes, which leave stop signals to the training loop."""

import os
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import torch
from torch.utils.data import DataLoader, Dataset

from resvision.contracts import Batch, Batches
from resvision.core.errors import ResVisionError, RunError

STOP_SIGNALS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}


def batches(dataset: Batches, start: int, stop: int, *, workers: int) -> Generator[Batch, None, None]:
    """Batches number start, start + 1, ... stop - 1, made here or by that many worker processes.

    The batches do not depend on `workers`, and an error of ours in a worker is raised here as it is.
    """
    numbers = range(start, stop)
    if workers == 0:
        yield from (dataset[number] for number in numbers)
        return
    made = DataLoader(
        _Guarded(dataset),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        worker_init_fn=_leave_signals_to_the_loop,
        generator=torch.Generator(),  # else a loader draws from the global generator of the net's dropout
    )
    with _held(STOP_SIGNALS):  # a worker must not meet one before it has left the process group
        started = iter(made)
    for batch in started:
        if isinstance(batch, ResVisionError):
            raise batch
        yield batch


@contextmanager
def dead_workers_named() -> Iterator[None]:
    """RunError, with the remedy, where the system ends a worker: torch says so anywhere in this thread."""
    try:
        yield
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise RunError(
            f"{error}; systems do so when memory or shared memory (/dev/shm) runs out: free some, and --resume the run"
        ) from None


@contextmanager
def _held(signals: set[signal.Signals]) -> Iterator[None]:
    """Deliver `signals` to this thread only after the block; processes started in it begin with them held."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_signals_to_the_loop(worker: int) -> None:
    """Leave the process group: a signal to it is the loop's to obey, which writes a checkpoint and ends its workers.

    What was sent to the group before that is dropped.
    """
    if not hasattr(os, "setpgid"):
        return
    os.setpgid(0, 0)
    while pending := signal.sigpending() & STOP_SIGNALS:
        signal.sigwait(pending)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


class _Guarded(Dataset[Batch | ResVisionError]):
    """A data set whose errors of ours are given back, since a worker would raise them as a long traceback."""

    def __init__(self, dataset: Batches) -> None:
        self._dataset = dataset

    def __getitem__(self, number: int) -> Batch | ResVisionError:
        try:
            return self._dataset[number]
        except ResVisionError as error:
            return error
