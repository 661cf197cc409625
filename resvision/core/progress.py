"""The progress of a piece of work in one line of a terminal or of a notebook's cell: a bar, the time left, the rate.

The line is drawn as the work advances, by no thread of its own, and never wider than the terminal.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType
from rich.text import Text

from resvision.core.notebooks import UpdatedLine
from resvision.core.plurals import plural

P = ParamSpec("P")
T = TypeVar("T")

SHOWN_AFTER_S = 2.0
"""Seconds of work after which a line is shown: what ends sooner needs none."""

REDRAWN_EVERY_S = 0.1
BAR_CELLS = 12
RECENT = 50
"""Advances that the rate looks back on."""


class Bar:
    """A line about a piece of work on a terminal or in a notebook; on anything else nothing is written.

    title    the work in a word, such as `evaluating`
    total    pieces of the whole, None where it is not known
    noun     a piece, for the rate; "" leaves the rate out
    done     pieces that were done before
    after_s  seconds before the line is shown
    """

    def __init__(
        self,
        console: Console,
        title: str,
        *,
        total: int | None = None,
        noun: str = "image",
        done: int = 0,
        after_s: float = SHOWN_AFTER_S,
    ) -> None:
        self._console, self._title, self._noun = console, title, noun
        self._total, self._done = total, done
        self._figures: Sequence[str] = ()
        self._shows_from = time.monotonic() + after_s
        self._drawn_at, self._drawn = 0.0, False
        self._recent: deque[tuple[float, int]] = deque([(time.monotonic(), done)], maxlen=RECENT)
        self._notebook = UpdatedLine() if console.is_jupyter else None

    def __enter__(self) -> Self:
        self._draw()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def advance(self, pieces: int = 1, total: int | None = None) -> None:
        """Count pieces that are done, of `total` where it is known only now."""
        self.reach(self._done + pieces, total=total)

    def reach(self, done: int, *, total: int | None = None, figures: Sequence[str] = ()) -> None:
        """Take in how many pieces are done, and `figures` to show beside them, the most important first."""
        self._done, self._figures = done, figures
        self._total = self._total if total is None else total
        self._recent.append((time.monotonic(), done))
        self._draw()

    def counting(self, function: Callable[P, T]) -> Callable[P, T]:
        """The function itself, each call of which counts as a piece that is done."""

        def counted(*args: P.args, **keywords: P.kwargs) -> T:
            result = function(*args, **keywords)
            self.advance()
            return result

        return counted

    def aside(self, results: Iterable[T]) -> Iterator[T]:
        """Yield results, the line taken away while one is printed and at the end."""
        with self:
            for result in results:
                self.clear()
                yield result

    def clear(self) -> None:
        """Take the line away, so that something else can be printed there; the next advance draws it again."""
        if not self._drawn:
            return
        self._drawn = False
        if self._notebook is not None:
            self._notebook.show("")
        else:
            with suppress(OSError):  # of a terminal that is gone
                self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))

    def _draw(self) -> None:
        now = time.monotonic()
        early = now < self._shows_from or now - self._drawn_at < REDRAWN_EVERY_S
        if early or self._console.quiet or not (self._console.is_terminal or self._notebook):
            return
        if self._notebook is not None:
            self._notebook.show(self.line(self._console.width).plain)
        else:
            self._draw_on_terminal()
        self._drawn, self._drawn_at = True, now

    def _draw_on_terminal(self) -> None:
        with suppress(OSError):
            # another bar, such as that of a training which is being evaluated, may have left its line there
            self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
            # the last cell stays free: some terminals begin a new line once it is written
            self._console.print(self.line(self._console.width - 1), end="", no_wrap=True, overflow="crop", crop=True)
            self._console.control(Control(ControlType.CARRIAGE_RETURN))  # what comes unasked begins at the left

    def line(self, width: int) -> Text:
        """The line in at most `width` cells: as many of its parts as there is room for."""
        text = Text(self._title, no_wrap=True)
        for part in self._parts():
            if text.cell_len + 2 + part.cell_len <= width:
                text.append("  ").append_text(part)
        text.truncate(width)
        return text

    def _parts(self) -> list[Text]:
        rate = self._per_s()
        texts = []
        if self._total:
            left = "" if not rate else f"{_clock((self._total - self._done) / rate)} left"
            texts = [f"{min(self._done / self._total, 1):4.0%}", left]
        if self._noun:
            texts += [_rate(rate, self._noun), f"{self._done:,}" + (f"/{self._total:,}" if self._total else "")]
        return [*([self._bar()] if self._total else []), *(Text(text) for text in [*texts, *self._figures] if text)]

    def _bar(self) -> Text:
        assert self._total
        full, empty = ("#", "-") if self._console.options.ascii_only else ("━", "─")
        cells = min(BAR_CELLS, BAR_CELLS * self._done // self._total)
        return Text(full * cells, "bar.complete").append(empty * (BAR_CELLS - cells), "bar.back")

    def _per_s(self) -> float:
        (begun, before), (now, done) = self._recent[0], self._recent[-1]
        return (done - before) / (now - begun) if now > begun else 0.0


def _rate(per_s: float, noun: str) -> str:
    if not per_s:
        return ""
    if per_s < 1:
        return f"{1 / per_s:,.1f} s a {noun}"
    return f"{per_s:,.0f} {plural(noun)}/s" if per_s >= 10 else f"{per_s:.1f} {plural(noun)}/s"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
