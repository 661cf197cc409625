"""Other work on the CPU of a training, before it starts and on its way.

Threads that share a step wait for the slowest of them, so one that has to share its core stops all. In bf16 on matrix
units that costs the most: beside other work a training has been seen to fall to a twentieth of its speed, where one
thread alone kept a third. Nothing is chosen here: what is seen is said, with the remedy.
"""

import math
import os
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

from resvision.core.plurals import counted

STAT = Path("/proc/stat")
SHORTEST_S = 0.2
"""Seconds between two looks from which the kernel's counts, of a hundredth of a second, tell enough."""

WINDOW = 15
"""Steps whose median time is compared with the best one."""

MUCH_SLOWER = 2.5
SLOW_FOR_S = 60.0
"""Seconds that steps have to be much slower before it is said."""


class CpuTimes(NamedTuple):
    """Seconds since some moment: on the clock, of work of all processes, and of this one."""

    clock: float
    all: float
    own: float

    @classmethod
    def now(cls) -> "CpuTimes | None":
        """The times of this moment; None on systems that do not tell."""
        try:
            fields = [int(field) for field in STAT.read_text().split("\n", 1)[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        user, nice, system, _idle, _waiting, *interrupts_and_stolen = fields
        ticks = user + nice + system + sum(interrupts_and_stolen)
        return cls(time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), sum(os.times()[:4]))


def busy_cores(before: CpuTimes | None) -> float:
    """The number of cores that other processes have kept busy since `before`, or of late where that is not known.

    It waits until the time since then is long enough to tell: the average of the system counts this process as well,
    which in a study has computed all the time before.
    """
    if before is not None:
        time.sleep(max(0.0, before.clock + SHORTEST_S - time.monotonic()))
    now = CpuTimes.now()
    if before is not None and now is not None:
        others = (now.all - before.all) - (now.own - before.own)
        return max(0.0, others / (now.clock - before.clock))
    with suppress(OSError, AttributeError):  # Windows has no such average
        return max(0.0, os.getloadavg()[0] - 1)  # this process counts as one
    return 0.0


def warning(threads: int, *, cores: int, usable: float, busy: float) -> str | None:
    """A sentence on threads that would wait for a core, with the remedy; None where all have one.

    cores   of the machine
    usable  of them by this process
    busy    with other processes
    """
    free = min(usable, cores - busy)
    if threads < 2 or threads <= free + 0.5:
        return None
    fewer = max(1, min(threads - 1, math.floor(free + 0.5)))
    cause = (
        f"this process may use {usable:g} of {counted(cores, 'core')}"
        if threads > usable + 0.5
        else f"other processes keep {busy:.1f} of {counted(cores, 'core')} busy"
    )
    return (
        f"{cause}, and {threads} threads wait for the slowest of them: --threads {fewer} may be several times as fast"
        " (sums then round differently)"
    )


class StepClock:
    """The times of a run's steps: it notices when they have become much slower than the run's own best."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._best = math.inf
        self._slow_s = 0.0
        self._told = False

    def slower(self, images: int, seconds: float) -> float | None:
        """Take in a step. How many times as long steps take as at best, once and when that has lasted; else None."""
        self._recent.append(seconds / max(images, 1))
        if len(self._recent) < WINDOW:
            return None
        usual = median(self._recent)
        self._best = min(self._best, usual)
        if usual <= MUCH_SLOWER * self._best:
            self._slow_s = 0.0
            return None
        self._slow_s += seconds
        if self._told or self._slow_s < SLOW_FOR_S:
            return None
        self._told = True
        return usual / self._best
