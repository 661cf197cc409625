"""The way from an inference to what is written of it, past the event loop."""

from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from threading import Event

import pytest

from resvision.serving.answering import Answering
from resvision.serving.lanes import Inferred
from resvision.serving.limits import Limits
from resvision.serving.metrics import Metrics

PATIENCE_S = 20.0


@pytest.fixture
def answering() -> Iterator[Answering]:
    """One thread that writes."""
    one = Answering(Limits(), Metrics(), threads=1)
    yield one
    one.close()


def test_an_inference_is_written_and_a_fault_is_told(answering: Answering) -> None:
    inferred: Future[Inferred] = Future()
    written = answering._then(inferred, lambda one: one.raw + 1)
    inferred.set_result(Inferred(1, 0.0, 0.0))
    assert written.result(PATIENCE_S) == 2
    faulty: Future[Inferred] = Future()
    told = answering._then(faulty, lambda one: one.raw)
    faulty.set_exception(ValueError("thirteen"))
    with pytest.raises(ValueError, match="thirteen"):
        told.result(PATIENCE_S)


def test_what_nobody_waits_for_is_neither_inferred_nor_written(answering: Answering) -> None:
    inferred: Future[Inferred] = Future()
    assert answering._then(inferred, lambda one: one).cancel()
    assert inferred.cancelled()
    busy, calls, done = Event(), list[int](), Future[Inferred]()
    answering._pool.submit(busy.wait, PATIENCE_S)  # the thread has other things to do
    queued = answering._then(done, lambda one: calls.append(1))
    done.set_result(Inferred(1, 0.0, 0.0))
    assert queued.cancel()
    busy.set()
    assert answering._pool.submit(lambda: "next").result(PATIENCE_S) == "next"
    assert not calls


def test_nobody_waits_for_threads_that_have_ended(answering: Answering) -> None:
    inferred: Future[Inferred] = Future()
    written = answering._then(inferred, lambda one: one)
    answering.close()
    inferred.set_result(Inferred(1, 0.0, 0.0))
    with pytest.raises(CancelledError):
        written.result(PATIENCE_S)
