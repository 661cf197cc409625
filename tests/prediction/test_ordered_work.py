"""Work ahead of whoever asks for it: in order, bounded, and gone when it is no longer wanted."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from resvision.prediction import ordered_work
from resvision.prediction.ordered_work import ordered


class Counter:
    """Items of a stream, and how many of them were taken."""

    def __init__(self, number: int) -> None:
        self.number, self.taken = number, 0

    def __iter__(self) -> Iterator[int]:
        for item in range(self.number):
            self.taken += 1
            yield item


def eventually(is_so: Callable[[], bool]) -> bool:
    """Whether something becomes so within some seconds."""
    until = time.monotonic() + 10
    while not is_so() and time.monotonic() < until:
        time.sleep(0.001)
    return is_so()


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    def late(item: int) -> int:
        time.sleep(0.002 if item % 3 == 0 else 0)
        return -item

    assert [*ordered(late, range(40), threads=threads, ahead=7)] == [-item for item in range(40)]


def test_no_more_items_are_taken_than_is_bounded() -> None:
    items = Counter(200)
    with closing(ordered(lambda item: item, items, threads=2, ahead=5)) as results:
        for given, _ in enumerate(results):
            assert items.taken - given <= 5
    assert items.taken == 200


def test_few_large_results_are_kept_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordered_work, "AHEAD_BYTES", 100)
    items = Counter(50)
    with closing(ordered(lambda item: item, items, threads=1, ahead=30, size=lambda result: 60)) as results:
        for given, _ in enumerate(results):
            assert items.taken - given <= 2


def test_nothing_is_begun_once_it_is_closed() -> None:
    may_go, begun = threading.Event(), []

    def held(item: int) -> int:
        begun.append(item)
        if item:
            may_go.wait(10)
        return item

    results = ordered(held, range(100), threads=2, ahead=20)
    assert next(results) == 0
    closing_thread = threading.Thread(target=results.close)
    closing_thread.start()
    may_go.set()
    closing_thread.join(10)
    assert len(begun) <= 4
    assert not own_threads()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_of_the_function_comes_in_the_place_of_its_result(error: type[BaseException]) -> None:
    def failing(item: int) -> int:
        if item == 5:
            raise error
        return item

    given = []
    with pytest.raises(error):
        given.extend(ordered(failing, range(100), threads=2, ahead=8))
    assert given in ([], [0, 1, 2, 3, 4])  # `extend` keeps what came, or nothing
    assert eventually(lambda: not own_threads())
