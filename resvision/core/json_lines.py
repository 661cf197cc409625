"""Files that grow by a line: each line a JSON object that a run writes, in the order in which it comes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from resvision.core.errors import RunError
from resvision.core.files import parse_json, read_lines


class JSONLine(NamedTuple):
    """The content of a line, and for errors the line itself, `file:number` and the noun of what the file holds."""

    content: Any
    where: str
    noun: str

    def refused(self, why: str) -> RunError:
        """The error for a line that training does not write."""
        return RunError(f"{self.where}: not a line of {self.noun}: {why}")


def read_json_lines(path: Path, *, noun: str) -> Iterator[JSONLine]:
    """Yield every whole line of a file of `noun`; a last line cut short by a crash is left out.

    The file may be of any length, since it is never held whole. Raises RunError where it cannot be read, or a line is
    no JSON.
    """
    try:
        for number, text in enumerate(read_lines(path), start=1):
            if not text.endswith(b"\n"):  # it was cut off
                continue
            line = JSONLine(None, f"{path}:{number}", noun)
            try:
                content = parse_json(text.decode(errors="replace"))
            except ValueError as error:
                raise line.refused(str(error)) from None
            yield line._replace(content=content)
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror}") from None
