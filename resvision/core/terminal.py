"""Text on its way to a terminal, in which control characters are shown and never obeyed.

Names of classes, models and files are a stranger's where a run or a data set is. A terminal that obeys what they hold
may be retitled, hide lines, or write into its own input.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import TextIOBase
from typing import IO, TextIO, cast

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

# Controls of ASCII and Latin-1 but for tabs and ends of lines; marks that turn the direction of text; two separators.
_OBEYED = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\r(?!\n)",
)


def visible(text: str) -> str:
    """The text with escapes such as `\\u001b` in the place of control characters; JSON stays the same JSON."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def wrapped(parts: Sequence[str], width: int, *, gap: str = "  ", indent: str = "  ") -> list[str]:
    """The parts in lines of at most `width` columns, broken between parts alone; lines after the first are indented.

    A part that is longer than a line, such as a path, has a line of its own.
    """
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]}{gap}{part}" if lines else part
        if lines and cell_len(joined) > width:
            lines.append(f"{indent}{part}")
        else:
            lines[-1:] = [joined]
    return lines


def tell(console: Console, text: str, *, indent: int = 2) -> None:
    """Print a line of text; a terminal gets it in lines of its width, broken between words, the later ones indented."""
    if console.is_terminal:
        text = "\n".join(wrapped(visible(text).split(" "), console.width, gap=" ", indent=" " * indent))
    console.print(text, highlight=False, soft_wrap=True, markup=False, emoji=False)


class VisibleStream(TextIOBase):
    """A stream of text that writes it to another, with control characters visible."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the other stream."""
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """The treatment of characters that the encoding lacks, there."""
        return self.stream.errors

    def write(self, text: str, /) -> int:
        """Write the text, and return its length."""
        self.stream.write(visible(text))
        return len(text)

    def writable(self) -> bool:
        """True, as of every stream that is written to."""
        return True

    def flush(self) -> None:
        """Flush the other stream."""
        self.stream.flush()

    def isatty(self) -> bool:
        """Whether the other stream is a terminal."""
        return self.stream.isatty()

    def fileno(self) -> int:
        """The descriptor of the other stream."""
        return self.stream.fileno()

    def close(self) -> None:
        """Leave the other stream open, which belongs to whoever opened it."""


@contextmanager
def visible_streams() -> Iterator[None]:
    """Show control characters in all that Python writes to standard output and standard error during the block."""
    out, err = (cast(TextIO, VisibleStream(stream)) for stream in (sys.stdout, sys.stderr))
    with redirect_stdout(out), redirect_stderr(err):
        yield


class Terminal(Console):
    """A console that takes text as it is: nothing in it is markup or an emoji, and control characters are visible.

    Its own colours and cursor movements pass.
    """

    def __init__(self, *, stderr: bool = False, quiet: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, quiet=quiet, width=width, markup=False, emoji=False, highlight=False)

    @property
    def file(self) -> IO[str]:
        """The stream below `visible_streams`, which would show the console's own movements too."""
        file = super().file
        return file.stream if isinstance(file, VisibleStream) else file

    @file.setter
    def file(self, new_file: IO[str]) -> None:
        self._file = new_file

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of what is printed, their text visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))
