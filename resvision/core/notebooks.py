"""HTML by which notebooks show runs, scores and results; names in it are a stranger's, and escaped."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from resvision.core.terminal import visible

MOST_ROWS = 60
"""The most rows of a table; the number of the others is said."""


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table with its title above it, every text escaped; numbers stand to the right."""
    head = "".join(f"<th>{_text(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[:MOST_ROWS])
    more = f"<p>and {len(rows) - MOST_ROWS:,} more</p>" if len(rows) > MOST_ROWS else ""
    return f"{heading(title)}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def heading(text: str) -> str:
    """A line in bold."""
    return f"<p><b>{_text(text)}</b></p>"


def class_table(title: str, per_class: Sequence[Mapping[str, Any]]) -> str:
    """A table of the classes from rows of one form, in which floats are shares and None is none."""
    columns = [*per_class[0]] if per_class else []
    return table(title, columns, [[row[name] for name in columns] for row in per_class])


class UpdatedLine:
    """A line of text in the output of a notebook's cell, which is written again in its place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        """Write the text in the place of the one before."""
        from IPython.display import HTML, display  # which every notebook has

        line = HTML(f"<pre>{_text(text)}</pre>" if text else "")
        if self._handle is None:
            self._handle = display(line, display_id=True)
        else:
            self._handle.update(line)


def picture(png: bytes, alt: str) -> str:
    """A picture inside the page, no wider than that."""
    return f'<img alt="{_text(alt)}" style="max-width:100%" src="data:image/png;base64,{b64encode(png).decode()}">'


def folded(summary: str, text: str) -> str:
    """A text that is shown when a person opens it."""
    return f"<details><summary>{_text(summary)}</summary><pre>{_text(text)}</pre></details>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td style="text-align:right">{value:.2%}</td>'
    if isinstance(value, int):
        return f'<td style="text-align:right">{value:,}</td>'
    return f'<td style="text-align:left">{"-" if value is None else _text(str(value))}</td>'


def _text(text: str) -> str:
    return escape(visible(text))
