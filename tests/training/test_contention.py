import os
import time

import pytest

from resvision.training.contention import SHORTEST_S, SLOW_FOR_S, CpuTimes, StepClock, busy_cores, warning


@pytest.mark.parametrize(
    ("threads", "cores", "usable", "busy", "said"),
    [
        (2, 2, 2.0, 0.1, None),
        (1, 2, 2.0, 2.0, None),
        (2, 2, 2.0, 1.4, "other processes keep 1.4 of 2 cores busy, and 2 threads"),
        (16, 64, 64.0, 30.0, None),
        (64, 64, 4.0, 0.0, "this process may use 4 of 64 cores, and 64 threads"),
    ],
)
def test_threads_that_would_wait_for_a_core_are_told(
    threads: int, cores: int, usable: float, busy: float, said: str | None
) -> None:
    text = warning(threads, cores=cores, usable=usable, busy=busy)
    assert (text is None) == (said is None)
    if text is not None and said is not None:
        assert text.startswith(said)


@pytest.mark.parametrize(("cores", "usable", "busy", "fewer"), [(2, 2.0, 1.4, 1), (64, 4.0, 0.0, 4), (8, 8.0, 5.2, 3)])
def test_the_remedy_names_as_many_threads_as_cores_are_free(cores: int, usable: float, busy: float, fewer: int) -> None:
    assert f"--threads {fewer} " in str(warning(cores, cores=cores, usable=usable, busy=busy))


def test_steps_that_stay_much_slower_than_the_best_are_told_once() -> None:
    clock = StepClock()
    assert not any(clock.slower(64, 0.1) for _ in range(100))
    told = [times for _ in range(300) if (times := clock.slower(64, 1.0))]
    assert told == [pytest.approx(10)]


def test_a_short_lull_and_a_slow_first_step_are_not_told() -> None:
    clock = StepClock()
    steps = [30.0, *[0.1] * 50, *[1.0] * int(SLOW_FOR_S / 2), *[0.1] * 50]
    assert not any(clock.slower(64, seconds) for seconds in steps * 3)


def test_images_of_other_sizes_make_no_step_slow() -> None:
    clock = StepClock()
    assert not any(clock.slower(images, images * 0.1) for images in [*[4] * 100, *[400] * 100])


def test_what_this_process_computed_before_is_no_other_work_however_short_the_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = CpuTimes(time.monotonic(), all=100.0, own=50.0)
    monkeypatch.setattr(os, "getloadavg", lambda: (9.0, 9.0, 9.0))
    monkeypatch.setattr(CpuTimes, "now", lambda: CpuTimes(begun.clock + SHORTEST_S, all=100.3, own=50.3))
    assert busy_cores(begun) == pytest.approx(0.0)
    assert time.monotonic() - begun.clock >= SHORTEST_S
