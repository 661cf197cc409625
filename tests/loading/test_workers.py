"""Workers: batches are the same wherever they are made, errors keep their line, and stop signals are the loop's."""

import multiprocessing
import os
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from resvision.contracts import Batch
from resvision.core.errors import DataError, RunError, Stopped
from resvision.loading import workers
from resvision.loading.batches import as_batch
from resvision.loading.workers import batches, dead_workers_named
from resvision.training.stopping import StopSignals


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


def workers_with(free: float, monkeypatch: pytest.MonkeyPatch) -> int:
    """The workers of two that start where so many bytes of shared memory are free, for batches of 20 bytes."""
    monkeypatch.setattr(workers, "_free_bytes", lambda: free)
    started = []
    loader = workers.DataLoader
    monkeypatch.setattr(
        workers, "DataLoader", lambda *given, **more: started.append(more["num_workers"]) or loader(*given, **more)
    )
    assert numbers(Numbered(), count=2) == [2, 3, 4, 5, 6]
    return sum(started)


@pytest.mark.parametrize(("free", "expected"), [(1e12, 2), (1000.0, 2), (130.0, 1), (80.0, 0), (0.0, 0)])
def test_only_so_many_workers_start_as_shared_memory_has_room_for(
    free: float, expected: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workers, "_said", set())
    assert workers_with(free, monkeypatch) == expected
    assert workers_with(free, monkeypatch) == expected
    said = [record.message for record in caplog.records]
    assert len(said) == (expected < 2)
    assert all("a batch takes 0 MiB, and /dev/shm has 0 MiB free" in line for line in said)


def test_without_shared_memory_there_are_no_workers_and_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused() -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(workers, "_said", set())
    monkeypatch.setattr(multiprocessing, "Lock", refused)
    assert workers_with(1e12, monkeypatch) == 0
    assert "without workers: processes cannot meet or share memory here" in caplog.text
    assert "Read-only file system" in caplog.text


def test_where_the_path_of_temporary_files_is_too_long_for_sockets_there_are_no_workers_and_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    place = tmp_path / ("long" * 30)
    place.mkdir()
    monkeypatch.setattr(workers, "_said", set())
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    monkeypatch.setitem(multiprocessing.current_process()._config, "tempdir", str(place))
    assert workers_with(1e12, monkeypatch) == 0
    assert f"AF_UNIX path too long; TMPDIR is {place}" in caplog.text


def test_a_batch_that_cannot_be_handed_over_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(workers.ForkingPickler):
        @classmethod
        def dumps(cls, message: object) -> memoryview:
            raise RuntimeError("unable to write to file </torch_7>: No space left on device (28)\nmore")

    monkeypatch.setattr(workers, "ForkingPickler", Full)
    with pytest.raises(RunError, match=r"cannot hand over batch 2: .*\(28\); free shared memory .*machine\.workers=0"):
        numbers(Numbered(), count=1)


def test_a_process_of_a_pool_which_may_have_no_children_decodes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_config", {"daemon": True})
    assert numbers(Numbered(), count=2) == [2, 3, 4, 5, 6]


class Stuck(Numbered):
    """Batches of which number 4 does not come."""

    def __getitem__(self, number: int) -> Batch:
        time.sleep(60 * (number == 4))
        return super().__getitem__(number)


def test_a_stop_signal_is_heard_while_a_batch_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "POLL_S", 0.05)
    monkeypatch.setattr("resvision.training.stopping.GRACE_S", 0.1)
    with StopSignals() as stop:
        stop.defer()
        made = batches(Stuck(), 2, 7, workers=1, waiting=stop.leave_waiting)
        assert [int(next(made).targets), int(next(made).targets)] == [2, 3]
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Stopped) as caught:
            next(made)
        stop.signal = 0
    assert caught.value.exit_code == 128 + signal.SIGTERM
