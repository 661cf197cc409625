"""Batches made by worker processes, which leave stop signals to the training loop.

Workers hand their batches over in shared memory (/dev/shm). Its room is looked at before they start: containers often
have 64 MB, of which a batch that does not fit is lost.
"""

import logging
import multiprocessing
import os
import pickle
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Listener
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from resvision.contracts import Batch, Batches, tensors_of
from resvision.core.errors import ResVisionError, RunError
from resvision.core.own_modules import OWN_MODULES, OwnModules

STOP_SIGNALS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where the system has it; nothing of ours is named there

AMPLE_BYTES = 4 * 2**30
"""Free shared memory from which no batch is made beforehand to look at its size."""

PREFETCHED = 2
"""Batches that each worker makes ahead."""

POLL_S = 1.0
"""Seconds between two looks at stop signals while no batch comes."""


def batches(
    dataset: Batches, start: int, stop: int, *, workers: int, waiting: Callable[[], None] = lambda: None
) -> Generator[Batch, None, None]:
    """Yield batches number start, start + 1, ... stop - 1, made here or by at most that many worker processes.

    There are fewer workers, or none, where processes or shared memory are not to be had, which is said in a line. The
    batches do not depend on them, and an error of ours in a worker is raised here as it is.

    waiting  called every second in which no batch comes; it may raise what ends the wait
    """
    if workers and start < stop and (workers := _startable(workers)) and _free_bytes() < AMPLE_BYTES:
        first = dataset[start]
        workers = _with_room(workers, first)
        yield first
        start += 1
    numbers = range(start, stop)
    if workers == 0:
        yield from (dataset[number] for number in numbers)
        return
    loader = DataLoader(
        _Sent(dataset),
        batch_size=None,  # the data set gives whole batches
        sampler=numbers,
        num_workers=workers,
        prefetch_factor=PREFETCHED,
        timeout=POLL_S,
        worker_init_fn=_leave_signals_to_the_loop,
        generator=torch.Generator(),  # else a loader draws from the global generator of the net's dropout
    )
    with _blocked(STOP_SIGNALS):  # a worker must not meet one before it has left the process group
        running = iter(loader)
    for _ in numbers:
        batch = ForkingPickler.loads(_next(running, waiting))
        if isinstance(batch, ResVisionError):
            raise batch
        yield batch


def _next(running: Iterator[bytes], waiting: Callable[[], None]) -> bytes:
    """The next batch, for which `waiting` is called every second."""
    while True:
        try:
            return next(running)
        except RuntimeError as error:  # a wait that ended leaves the loader as it was
            if not str(error).startswith("DataLoader timed out"):
                raise
        waiting()


def _startable(workers: int) -> int:
    """The number of workers, 0 where this process may have no children or share no memory with them."""
    if multiprocessing.current_process().daemon:  # as in a pool of the user's own
        return 0
    try:
        multiprocessing.Lock()
        torch.zeros(1).share_memory_()  # type: ignore[no-untyped-call]
        Listener().close()  # where workers and this process meet: in TMPDIR, under a path that must be short
    except (OSError, RuntimeError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        _say(
            "images are decoded without workers: processes cannot meet or share memory here"
            f" ({reason}; TMPDIR is {tempfile.gettempdir()})"
        )
        return 0
    return workers


def _with_room(workers: int, batch: Batch) -> int:
    """The number of workers whose batches fit into shared memory, at most `workers`."""
    size = sum(tensor.nbytes for tensor in tensors_of(batch))
    free = _free_bytes() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    # besides those made ahead, one is in the loop's hands; half as much again for the targets of other batches
    fitting = max(0, int((free / (1.5 * max(size, 1)) - 1) / PREFETCHED))
    if fitting < workers:
        number = f"{fitting} of {workers} workers" if fitting else "no workers"
        _say(
            f"images are decoded by {number}: a batch takes {size / 2**20:.0f} MiB, and {SHARED_MEMORY} has"
            f" {free / 2**20:.0f} MiB free; give the container more (docker run --shm-size=2g)"
        )
    return min(workers, fitting)


def _free_bytes() -> float:
    """The free shared memory, without limit where there is no such file system."""
    try:
        status = os.statvfs(SHARED_MEMORY)
    except (OSError, AttributeError):  # other systems share memory in other ways
        return float("inf")
    return status.f_bavail * status.f_frsize


_said: set[str] = set()


def _say(line: str) -> None:
    """Say a line once: every evaluation of a training starts its own workers."""
    opening = line.partition(":")[0]
    if opening not in _said:
        _said.add(opening)
        logging.getLogger("resvision").warning(line)


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


class _Sent(Dataset[bytes]):
    """A data set that gives its batches ready to be sent, or errors of ours in their place.

    A worker would raise an error as a long traceback. Were the batch put into shared memory by the loader's own thread,
    a full one would end that thread's work in silence, and the loop would wait for ever.
    """

    def __init__(self, dataset: Batches) -> None:
        self._dataset = dataset

    def __getstate__(self) -> tuple[OwnModules, Batches]:
        return OWN_MODULES, self._dataset  # in this order: a new process must find the modules before their classes

    def __setstate__(self, state: tuple[OwnModules, Batches]) -> None:
        _, self._dataset = state

    def __getitem__(self, number: int) -> bytes:
        message: Any
        try:
            message = self._dataset[number]
            return bytes(ForkingPickler.dumps(message))
        except ResVisionError as error:
            message = error
        except (RuntimeError, OSError) as error:
            if not _is_shortage(error):
                raise
            reason = str(error).partition("\n")[0]
            message = RunError(
                f"a worker cannot hand over batch {number}: {reason}; free shared memory ({SHARED_MEMORY}) and files,"
                " or set machine.workers=0, and --resume the run"
            )
        return pickle.dumps(message)


def _is_shortage(error: Exception) -> bool:
    """Whether memory, disk or open files have run out, as torch or the system says."""
    words = ("No space left", "unable to mmap", "unable to write to file", "Too many open files", "allocate memory")
    return any(word in str(error) for word in words)
