"""The progress of a run for a person: a bar on a terminal, a line an epoch elsewhere."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from resvision.core.terminal import wrapped

RECENT_STEPS = 50  # steps that the running training error and images/s look back on


class ProgressBar:
    """A display of epoch, ETA, images/s and the running training metrics, fed with the lines of the history.

    A terminal that is gone, or a full disk under its output, ends the display and not the run.

    metrics  names of the metrics of a step that are shown
    write    a figure or metric, by its name, as text
    """

    def __init__(
        self,
        console: Console,
        *,
        steps: int,
        first_step: int,
        steps_per_epoch: int,
        metrics: Sequence[str] = (),
        write: Callable[[str, float], str] = lambda name, value: f"{value:.4f}",
    ) -> None:
        self._console, self._metrics, self._write = console, metrics, write
        self._epochs = -(-steps // steps_per_epoch)
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT_STEPS)
        self._epoch_lines: list[dict[str, Any]] = []
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=12),
            TaskProgressColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("training", total=steps, completed=first_step, figures="")

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._bar.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._bar.stop()

    def show(self, line: dict[str, Any]) -> None:
        """Take in one line of the history."""
        if "evaluation" in line:
            with suppress(OSError):
                self._tell_epoch(line)
            return
        self._recent.append(line)
        self._epoch_lines.append(line)
        metrics = [
            f"train {name} {self._write(name, self._recent_mean(name))}" for name in self._metrics if name in line
        ]
        figures = [*metrics, f"{self._images_per_s():,.0f} images/s", f"loss {self._recent_mean('loss'):.4f}"]
        epoch = f"epoch {line['epoch'] + 1}/{self._epochs}"
        self._bar.update(self._task, completed=line["step"], description=epoch, figures="  ".join(figures))

    def _recent_mean(self, name: str) -> float:
        return _mean(line[name] for line in self._recent)

    def _images_per_s(self) -> float:
        images: int = sum(line["images"] for line in self._recent)
        seconds: float = sum(line["seconds"] for line in self._recent)
        return images / max(seconds, 1e-9)

    def _tell_epoch(self, line: dict[str, Any]) -> None:
        lines, self._epoch_lines = self._epoch_lines, []
        parts = [f"epoch {line['epoch'] + 1}/{self._epochs}", f"step {line['step']}"]
        if lines:
            parts.append(f"train loss {_mean(step['loss'] for step in lines):.4f}")
            for name in [name for name in self._metrics if name in lines[0]]:
                parts.append(f"train {name} {self._write(name, _mean(step[name] for step in lines))}")
        for name, value in line["evaluation"].items():
            parts.append(f"{line['split']} {name.replace('_', ' ')} {self._write(name, value)}")
        parts.append(f"{self._images_per_s():,.0f} images/s")
        # on a terminal a line is broken between figures; elsewhere an epoch is one line, for programs that read it
        rows = wrapped(parts, self._console.width) if self._console.is_terminal else ["  ".join(parts)]
        self._console.print("\n".join(rows), highlight=False, soft_wrap=True)


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
