"""The progress of a run for a person: a bar on a terminal, a line an epoch."""

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Self

from rich.console import Console

from resvision.core.plurals import plural
from resvision.core.progress import Bar
from resvision.core.terminal import tell
from resvision.kinds.kind import Kind

RECENT_STEPS = 50  # steps that the running training error and images/s look back on


class Part(NamedTuple):
    """A part of an epoch's line; of those that do not fit into a terminal, the higher `rank` is left out first."""

    rank: int
    text: str


class ProgressBar:
    """A display of the run's progress and its running training metrics, fed with the lines of the history.

    A terminal that is gone, or a full disk under its output, ends the display and not the run.

    kind     of the run: names and forms of its figures
    classes  their number, by which some figures say nothing
    """

    def __init__(
        self,
        console: Console,
        *,
        steps: int,
        first_step: int,
        steps_per_epoch: int,
        kind: Kind[Any, Any, Any],
        classes: int,
    ) -> None:
        self._console, self._kind, self._classes = console, kind, classes
        self._epochs = -(-steps // steps_per_epoch)
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT_STEPS)
        self._epoch_lines: list[dict[str, Any]] = []
        self._bar = Bar(console, "training", total=steps, noun="", done=first_step, after_s=0)

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.clear()

    def show(self, line: dict[str, Any]) -> None:
        """Take in one line of the history."""
        if "evaluation" in line:
            self._tell_epoch(line)
            return
        self._recent.append(line)
        self._epoch_lines.append(line)
        metrics = [
            f"train {self._kind.noun(name)} {self._kind.write(name, self._recent_mean(name))}"
            for name in self._kind.metrics
            if name in line
        ]
        figures = [self._epoch(line), f"loss {self._recent_mean('loss'):.4f}", *metrics, self._rate()]
        self._bar.reach(line["step"], figures=figures)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.clear()
        with suppress(OSError):
            tell(self._console, text)

    def _epoch(self, line: dict[str, Any]) -> str:
        return f"epoch {line['epoch'] + 1}/{self._epochs}"

    def _recent_mean(self, name: str) -> float:
        return _mean(line[name] for line in self._recent)

    def _rate(self) -> str:
        images: int = sum(line["images"] for line in self._recent)
        seconds: float = sum(line["seconds"] for line in self._recent)
        return f"{images / max(seconds, 1e-9):,.0f} {plural(self._kind.sample_noun)}/s"

    def _tell_epoch(self, line: dict[str, Any]) -> None:
        lines, self._epoch_lines = self._epoch_lines, []
        kind = self._kind
        parts = [Part(0, self._epoch(line)), Part(5, f"step {line['step']}")]
        if lines:
            parts.append(Part(2, f"train loss {_mean(step['loss'] for step in lines):.4f}"))
            for name in [name for name in kind.metrics if name in lines[0]]:
                mean = _mean(step[name] for step in lines)
                parts.append(Part(4, f"train {kind.noun(name)} {kind.write(name, mean)}"))
        for name, value in kind.telling(line["evaluation"], self._classes).items():
            rank = 0 if name == kind.main else 3
            parts.append(Part(rank, f"{line['split']} {kind.noun(name)} {kind.write(name, value)}"))
        parts.append(Part(6, self._rate()))
        self.say(fitting(parts, self._console.width) if self._console.is_terminal else fitting(parts, None))


def fitting(parts: list[Part], width: int | None) -> str:
    """The parts in a line of `width` cells, without those of the highest ranks that do not fit; None has no limit."""
    while True:
        text = "  ".join(part.text for part in parts)
        least = max(part.rank for part in parts)
        if width is None or len(text) <= width or least == 0:
            return text
        last = max(index for index, part in enumerate(parts) if part.rank == least)
        parts = parts[:last] + parts[last + 1 :]


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
