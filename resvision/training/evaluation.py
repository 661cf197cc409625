"""Predictions over a whole data set, every image once, on any number of processes."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from resvision.contracts import Batch, System, arrays, filled, shortened, to_device
from resvision.training.compiling import COMPILED
from resvision.training.machine import Machine, autocast
from resvision.training.stopping import StopSignals

T = TypeVar("T")


class Mergeable(Protocol):
    """A running sum over images."""

    def merge(self, other: Any) -> None:
        """Add the images that another process summed up."""
        ...


Sum = TypeVar("Sum", bound=Mergeable)

EVALUATION_COMPILE_PAYS_FROM = 1.5e13
"""The multiply-adds of an evaluation from which compiling pays: on two cores half a minute of compiling saved ResNet-50
in bf16 8 to 17 ms an image."""


class PredictedBatch(NamedTuple):
    """Predictions for one batch: indices in the data set (N,), and trees of arrays with N first.

    outputs  what the system's `predict` gives, floats in float32: for classification (N, K)
    targets  those of the batch: for classification (N,) int64
    """

    ids: NDArray[np.int64]
    outputs: Any
    targets: Any


class Predictions(NamedTuple):
    """Predictions in the order of the data set, on every process: trees as of PredictedBatch."""

    outputs: Any
    targets: Any


def predict_all(
    system: System,
    batches: Iterable[Batch],
    *,
    machine: Machine,
    compiled_for: int | None = None,
    stop: StopSignals | None = None,
) -> Predictions:
    """Predict every batch, gather the results over all processes, and put them in the order of ids.

    It holds the outputs for all images; arguments and errors are those of `predicted_batches`, which holds one batch.
    """
    parts = gathered([*predicted_batches(system, batches, machine=machine, compiled_for=compiled_for, stop=stop)])
    ids = np.concatenate([part.ids for part in parts])
    order = np.argsort(ids)
    assert len(np.unique(ids)) == len(ids), "an image was counted twice"
    outputs, targets = ([getattr(part, name) for part in parts] for name in Predictions._fields)
    return Predictions(_in_order(outputs, order), _in_order(targets, order))


@torch.no_grad()
def predicted_batches(
    system: System,
    batches: Iterable[Batch],
    *,
    machine: Machine,
    compiled_for: int | None = None,
    stop: StopSignals | None = None,
) -> Generator[PredictedBatch, None, None]:
    """Predict batch after batch of this process's share, which may be empty.

    compiled_for  predict by a graph compiled for batches of this size, shorter ones filled up; None is eager

    The system is in evaluation mode until the last batch and as before after it. Raises Stopped, after the batch at
    hand, where `stop` has heard a signal in any process.
    """
    device = next(system.net.parameters()).device
    predict = system.predict if compiled_for is None else compiled(system)
    with evaluating(system):
        for batch in until_stopped(batches, stop):
            inputs = batch.inputs if compiled_for is None else filled(batch.inputs, compiled_for)
            with autocast(machine):
                results = shortened(predict(to_device(inputs, device)), len(batch.ids))
            yield PredictedBatch(batch.ids.numpy(), arrays(results), arrays(batch.targets))


def _in_order(trees: Sequence[Any], order: NDArray[np.int64]) -> Any:
    """The trees of arrays and lists with N first, of several batches, as one whose entries are in `order`."""
    first = trees[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(trees)[order]
    if isinstance(first, list):
        entries = [entry for tree in trees for entry in tree]
        return [entries[position] for position in order]
    if isinstance(first, dict):
        return {key: _in_order([tree[key] for tree in trees], order) for key in first}
    if not isinstance(first, tuple):
        return first
    members = [_in_order(group, order) for group in zip(*trees, strict=True)]
    return type(first)(*members) if hasattr(first, "_fields") else tuple(members)


@contextmanager
def evaluating(system: System) -> Iterator[None]:
    """Put the system into evaluation mode inside the block, with the same statistics in all processes."""
    was_training = system.training
    system.eval()
    if dist.is_initialized():  # each process has its own running statistics; those of process 0 go into the checkpoint
        for buffer in system.net.buffers():
            dist.broadcast(buffer, src=0)
    try:
        yield
    finally:
        system.train(was_training)


def until_stopped(batches: Iterable[Batch], stop: StopSignals | None) -> Iterator[Batch]:
    """Yield the batches; once any process has heard a stop signal, raise Stopped in all after the batch at hand."""
    for batch in batches:
        if stop is not None and stop.signal:
            break
        yield batch
    if stop is not None:
        stop.leave_if_any()


def gathered(parts: list[T]) -> list[T]:
    """Gather the parts of all processes, on each of them."""
    if not dist.is_initialized():
        return parts
    shares: list[list[T]] = [[] for _ in range(dist.get_world_size())]
    dist.all_gather_object(shares, parts)
    return [part for share in shares for part in share]


def merged(share: Sum) -> Sum:
    """The running sum of all processes, on each of them, from the share of this one."""
    first, *others = gathered([share])
    for other in others:
        first.merge(other)
    return first


def compiled(system: System) -> Callable[[Any], Any]:
    """Compile `system.predict` as one graph of fixed shape with its weights folded in, when it is first called."""
    graph: Callable[[Any], Any] = torch.compile(system.predict, **COMPILED, options={"freezing": True})
    return graph
