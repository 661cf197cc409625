"""Workers: batches are the same wherever they are made, errors keep their line, and stop signals are the loop's."""

import os
import signal

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from resvision.contracts import Batch
from resvision.core.errors import DataError, RunError
from resvision.loading import workers
from resvision.loading.batches import as_batch
from resvision.loading.workers import batches, dead_workers_named


class Numbered(Dataset[Batch]):
    """Batches of one image whose pixels are the number of the batch; number 3 cannot be read where it is `bad`."""

    def __init__(self, *, bad: bool = False) -> None:
        self.bad = bad

    def __getitem__(self, number: int) -> Batch:
        if self.bad and number == 3:
            raise DataError("photo.png: a damaged PNG")
        images = np.full((1, 2, 2, 3), number, dtype=np.uint8)
        return as_batch(images, torch.tensor([number]), np.array([number]))


def numbers(dataset: Numbered, *, count: int) -> list[int]:
    """The numbers of the batches that come, in order."""
    return [int(batch.inputs.images[0, 0, 0, 0]) for batch in batches(dataset, 2, 7, workers=count)]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_batches_come_in_order_whatever_the_number_of_workers(count: int) -> None:
    assert numbers(Numbered(), count=count) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("count", [0, 2])
def test_an_error_of_ours_is_raised_as_it_is_after_the_batches_before_it(count: int) -> None:
    made = batches(Numbered(bad=True), 2, 7, workers=count)
    assert int(next(made).targets) == 2
    with pytest.raises(DataError, match=r"^photo\.png: a damaged PNG$"):
        next(made)


@pytest.mark.skipif(not hasattr(os, "setpgid"), reason="process groups are a thing of Unix")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_group_does_not_end_a_worker_that_has_just_started(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave = workers._leave_signals_to_the_loop

    def hit_before_leaving(worker: int) -> None:
        os.kill(os.getpid(), number)
        leave(worker)

    monkeypatch.setattr(workers, "_leave_signals_to_the_loop", hit_before_leaving)
    assert numbers(Numbered(), count=2) == [2, 3, 4, 5, 6]


def test_a_worker_that_the_system_ended_is_named_with_the_remedy() -> None:
    with pytest.raises(RunError, match=r"killed by signal.*free some, and --resume"), dead_workers_named():
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed")
    with pytest.raises(RuntimeError, match="another"), dead_workers_named():
        raise RuntimeError("another")
