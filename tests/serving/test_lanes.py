"""Lanes: what waits goes as a batch where that pays, each gets its own result, and a fault is told."""

from collections.abc import Sequence
from concurrent.futures import wait
from threading import Event
from typing import Any

import numpy as np
import pytest

from resvision.core.view_geometry import Geometry
from resvision.kinds.seen_samples import Seen
from resvision.serving.lanes import Lanes

PATIENCE_S = 20.0


def seen(number: int) -> Seen:
    pixels = np.full((1, 1, 1), number, dtype=np.uint8)
    return Seen(pixels, Geometry((1, 1), (1, 1)), str(number), pixels)


class Net:
    """Gives the value of each view; its first call waits until it is let go."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.begun, self.go_on = Event(), Event()

    def __call__(self, views: Sequence[Seen]) -> list[Any]:
        self.sizes.append(len(views))
        self.begun.set()
        assert self.go_on.wait(PATIENCE_S)
        if any(view.name == "13" for view in views):
            raise ValueError("thirteen")
        return [int(view.pixels[0, 0, 0]) for view in views]


@pytest.mark.parametrize(
    ("waiting", "pays_from", "largest", "sizes"),
    [
        (5, 2, 16, [1, 4, 1]),
        (12, 2, 16, [1, 12]),
        (2, 2, 16, [1, 1, 1]),
        (5, 6, 16, [1, 1, 1, 1, 1, 1]),
        (5, None, 16, [1, 1, 1, 1, 1, 1]),
        (5, 2, 3, [1, 3, 1, 1]),
    ],
)
def test_what_waits_goes_as_a_batch_where_that_pays(
    waiting: int, pays_from: int | None, largest: int, sizes: list[int]
) -> None:
    net, watched = Net(), list[int]()
    lanes = Lanes(net, number=1, pays_from=pays_from, largest=largest, watch=watched.append)
    answers = [lanes.submit(seen(0))]
    assert net.begun.wait(PATIENCE_S)
    answers += [lanes.submit(seen(number)) for number in range(1, waiting + 1)]
    net.go_on.set()
    assert [answer.result(PATIENCE_S).raw for answer in answers] == [*range(waiting + 1)]
    assert net.sizes == watched == sizes
    lanes.close()


def test_an_answer_that_nobody_waits_for_is_not_computed() -> None:
    net = Net()
    lanes = Lanes(net, number=1, pays_from=2, largest=16)
    first = lanes.submit(seen(0))
    assert net.begun.wait(PATIENCE_S)
    left, last = lanes.submit(seen(1)), lanes.submit(seen(2))
    assert left.cancel()
    net.go_on.set()
    assert (first.result(PATIENCE_S).raw, last.result(PATIENCE_S).raw) == (0, 2)
    assert net.sizes == [1, 1]
    lanes.close()


def test_a_fault_is_told_to_its_batch_and_the_lane_goes_on() -> None:
    net = Net()
    net.go_on.set()
    lanes = Lanes(net, number=1, pays_from=None, largest=16)
    faulty = lanes.submit(seen(13))
    with pytest.raises(ValueError, match="thirteen"):
        faulty.result(PATIENCE_S)
    assert lanes.submit(seen(2)).result(PATIENCE_S).raw == 2
    lanes.close()


def test_lanes_that_are_closed_answer_what_waits() -> None:
    net = Net()
    lanes = Lanes(net, number=2, pays_from=None, largest=16)
    answers = [lanes.submit(seen(number)) for number in range(6)]
    lanes.close()
    net.go_on.set()
    done, _ = wait(answers, PATIENCE_S)
    assert len(done) == 6
    assert [answer.result().raw for answer in answers] == [*range(6)]
