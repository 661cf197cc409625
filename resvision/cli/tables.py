"""Tables on the terminal that fit its width: columns that matter least are left out, then rows become blocks.

In a pipe, and with `--wide`, a table is as wide as its cells. No number is cut and no row is broken in any form.
"""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import typer
from rich import box
from rich.cells import cell_len
from rich.console import RenderableType
from rich.style import StyleType
from rich.table import Table

from resvision.core.terminal import Terminal, tell, visible, wrapped

LONG = 200  # rows; longer tables are laid out here, since rich takes seconds for thousands of rows

GAP = 3  # spaces between two columns

Wide = Annotated[bool, typer.Option("--wide", help="Show all columns, however narrow the terminal is.")]


class VisibleTable(Table):
    """A table whose texts are made visible before their widths are measured.

    heading  the title, which stands above the table and may be wider
    least    headings of columns that a narrow terminal does without, the least important first
    """

    heading: str | None = None
    least: Sequence[str] = ()

    def add_row(self, *cells: RenderableType | None, style: StyleType | None = None, end_section: bool = False) -> None:
        """Add a row of cells."""
        shown = (visible(cell) if isinstance(cell, str) else cell for cell in cells)
        super().add_row(*shown, style=style, end_section=end_section)


def new_table(
    *columns: str, numbers: Sequence[str] = (), title: str | None = None, least: Sequence[str] = ()
) -> VisibleTable:
    """Make a table with these columns, `numbers` to the right, those in `least` left out where it is narrow."""
    table = VisibleTable(box=box.SIMPLE_HEAD, pad_edge=False)
    table.heading, table.least = None if title is None else visible(title), least
    for column in columns:
        table.add_column(visible(column), justify="right" if column in numbers else "left", no_wrap=True)
    return table


def fits(table: VisibleTable, *, wide: bool = False) -> bool:
    """Whether a table can be printed with all its columns."""
    console = Terminal()
    return wide or not console.is_terminal or _width(table) <= console.width


def print_tables(*tables: VisibleTable, wide: bool = False) -> None:
    """Print tables to stdout, colours only on a terminal, and say which columns it is too narrow for."""
    console = Terminal()
    limit = None if wide or not console.is_terminal else console.width
    left_out: Counter[str] = Counter()
    for table in tables:
        fitting = table if limit is None else _narrowed(table, limit)
        _print_title(table, limit)
        if limit is not None and _width(fitting) > limit:
            console.file.write("\n".join(_blocks(table, limit)) + "\n")
            continue
        shown = set(_headings(fitting))
        left_out.update(_on_a_line(heading) for heading in _headings(table) if heading not in shown)
        if table.row_count <= LONG:
            Terminal(width=limit or max(console.width, _width(table))).print(fitting)
        else:
            console.file.write("\n".join(_plain(fitting)) + "\n")
    if left_out:
        print_lines(_said_of(left_out, tables))


def _print_title(table: VisibleTable, limit: int | None) -> None:
    """Print the title in lines of the terminal's width; rich would break it where the table ends."""
    if table.heading is not None:
        text = table.heading if limit is None else "\n".join(textwrap.wrap(table.heading, limit))
        Terminal().print(text, style="bold", soft_wrap=True)


def _said_of(left_out: Counter[str], tables: Iterable[VisibleTable]) -> str:
    """A line that names the columns that are left out, of all tables that have them or of some."""
    having = Counter(_on_a_line(heading) for table in tables for heading in _headings(table))
    everywhere = [heading for heading, count in left_out.items() if count == having[heading]]
    somewhere = [heading for heading in left_out if heading not in everywhere]
    named = [", ".join(everywhere)] if everywhere else []
    named += [f"of some tables {', '.join(somewhere)}"] if somewhere else []
    return f"left out for lack of width: {'; '.join(named)}; --wide shows all columns"


def print_lines(*lines: str) -> None:
    """Print lines of text to stdout, on a terminal broken between words, with the rest of each further in."""
    for line in lines:
        tell(Terminal(), line, indent=len(line) - len(line.lstrip()) + 2)


def _narrowed(table: VisibleTable, limit: int) -> VisibleTable:
    """The table with as many of its columns as fit; those that it cannot do without are kept."""
    for count in range(len(table.least) + 1):
        left_out = [*table.least[:count]]
        if _width(_without(table, left_out)) <= limit:
            break
    for heading in reversed(left_out[:-1]):  # a narrow column may fit where a wide one has gone
        fewer = [other for other in left_out if other != heading]
        if _width(_without(table, fewer)) <= limit:
            left_out = fewer
    return _without(table, left_out)


def _without(table: VisibleTable, headings: Sequence[str]) -> VisibleTable:
    if not headings:
        return table
    kept = [column for column in table.columns if str(column.header) not in headings]
    numbers = [str(column.header) for column in kept if column.justify == "right"]
    narrower = new_table(*(str(column.header) for column in kept), numbers=numbers)
    for row, cells in zip(table.rows, zip(*(column.cells for column in kept), strict=True), strict=True):
        narrower.add_row(*cells, end_section=row.end_section)
    return narrower


def _headings(table: VisibleTable) -> list[str]:
    return [str(column.header) for column in table.columns]


def _on_a_line(heading: str) -> str:
    return " ".join(heading.split())


def _columns(table: VisibleTable) -> list[list[str]]:
    """The texts of each column, its heading first."""
    return [[str(cell) for cell in (column.header, *column.cells)] for column in table.columns]


def _widths(table: VisibleTable) -> list[int]:
    return [max(cell_len(line) for cell in cells for line in cell.split("\n")) for cells in _columns(table)]


def _width(table: VisibleTable) -> int:
    """The length of a line of the table, with a space at each end."""
    return sum(_widths(table)) + GAP * (len(table.columns) - 1) + 2


def _blocks(table: VisibleTable, limit: int) -> Iterator[str]:
    """The lines of a table whose rows are blocks: the labels of a row, then its other cells with their headings.

    Numbers stand side by side, each text on a line of its own, and cells without a value are left out.
    """
    headings, *rows = zip(*_columns(table), strict=True)
    labels = 1 if headings[0].strip() else 2  # a column without a heading is a label of the next
    right = [column.justify == "right" for column in table.columns]
    for row in rows:
        cells = [
            (f"{_on_a_line(heading)}: {cell}", to_right)
            for heading, cell, to_right in list(zip(headings, row, right, strict=True))[labels:]
            if cell.strip() not in {"", "-"}
        ]
        if labels == 1 or row[0].strip():  # else the row belongs to the one before it
            yield ""
        yield from wrapped([label for label in row[:labels] if label.strip()], limit, gap=" ")
        numbers = [text for text, to_right in cells if to_right]
        yield from (f"  {line}" for line in wrapped(numbers, limit - 2, indent=""))
        for text, to_right in cells:
            if not to_right:
                yield from (f"  {line}" for line in wrapped(text.split(" "), limit - 2, gap=" "))
    yield ""


def _plain(table: VisibleTable) -> Iterable[str]:
    """The lines of a table as rich lays it out, without colours."""
    columns, widths = _columns(table), _widths(table)
    right = [column.justify == "right" for column in table.columns]
    yield ""
    for i, row in enumerate(zip(*columns, strict=True)):
        blanks = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        aligned = zip(row, blanks, right, strict=True)
        yield (
            " "
            + (" " * GAP).join(blank + cell if to_right else cell + blank for cell, blank, to_right in aligned)
            + " "
        )
        if i == 0:
            yield " " + "\N{BOX DRAWINGS LIGHT HORIZONTAL}" * (_width(table) - 2) + " "
    yield ""
