"""Counts and times of a server as text that Prometheus reads: its text format 0.0.4."""

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STAGES = ("queue", "decode", "infer", "post")
"""The ways of an image, in their order: waiting, from bytes to pixels, the net, from its outputs to a result."""
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of times."""
VIEWS = (1, 2, 4, 8, 16, 32, 64)
"""Upper bounds of the buckets of batches."""


class Histogram:
    """Values counted by buckets, for each model."""

    def __init__(self, name: str, help_text: str, bounds: tuple[float, ...]) -> None:
        self._name, self._help, self._bounds = name, help_text, bounds
        self._counts: dict[str, list[int]] = {}
        self._sums: Counter[str] = Counter()
        self._lock = Lock()

    def observe(self, model: str, value: float) -> None:
        """Count a value."""
        with self._lock:
            counts = self._counts.setdefault(model, [0] * (len(self._bounds) + 1))
            counts[bisect_left(self._bounds, value)] += 1
            self._sums[model] += value  # type: ignore[assignment]  # a Counter adds floats as well

    def lines(self) -> Iterator[str]:
        """Yield the lines of the text."""
        yield f"# HELP {self._name} {self._help}"
        yield f"# TYPE {self._name} histogram"
        with self._lock:
            rows = [(model, [*counts], self._sums[model]) for model, counts in self._counts.items()]
        for model, counts, total in rows:
            so_far = 0
            for bound, count in zip((*map(str, self._bounds), "+Inf"), counts, strict=True):
                so_far += count
                yield f'{self._name}_bucket{{model="{model}",le="{bound}"}} {so_far}'
            yield f'{self._name}_sum{{model="{model}"}} {total:.9g}'
            yield f'{self._name}_count{{model="{model}"}} {so_far}'


class Metrics:
    """What a server counts: answers by model and status, seconds of each stage, sizes of batches, and its memory."""

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, int]] = Counter()
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self.add_gauge("process_resident_memory_bytes", "Memory of the process.", _resident_bytes)
        self.stages = {
            stage: Histogram(f"resvision_{stage}_seconds", f"Seconds of the stage {stage}, by image.", SECONDS)
            for stage in STAGES
        }
        self.batches = Histogram("resvision_batch_views", "Views that went through a graph together.", VIEWS)

    def add_gauge(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Have the text tell a number as it is at the moment."""
        self._gauges[name] = help_text, value

    def count_answer(self, model: str, status: int) -> None:
        """Count an answer; `model` is "" where the request names none that there is."""
        self._answers[model, status] += 1

    def text(self) -> str:
        """All of it as Prometheus reads it."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield "# HELP resvision_answers_total Answers by model and HTTP status."
        yield "# TYPE resvision_answers_total counter"
        for (model, status), count in sorted(self._answers.items()):
            yield f'resvision_answers_total{{model="{model}",status="{status}"}} {count}'
        for histogram in (*self.stages.values(), self.batches):
            yield from histogram.lines()
        for name, (help_text, value) in self._gauges.items():
            yield f"# HELP {name} {help_text}"
            yield f"# TYPE {name} gauge"
            yield f"{name} {value():.15g}"


def _resident_bytes() -> float:
    """Memory of the process in bytes, NaN where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return float("nan")
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
