"""Tables on the terminal, as wide as their cells, so that no number is cut, in a pipe as on a screen."""

from collections.abc import Iterator

from rich import box
from rich.cells import cell_len
from rich.console import RenderableType
from rich.measure import Measurement
from rich.style import StyleType
from rich.table import Table

from resvision.core.terminal import Terminal, visible

LONG = 200  # rows; longer tables are laid out here, since rich takes seconds for thousands of rows


class VisibleTable(Table):
    """A table whose texts are made visible before their widths are measured."""

    def add_row(self, *cells: RenderableType | None, style: StyleType | None = None, end_section: bool = False) -> None:
        """Add a row of cells."""
        shown = (visible(cell) if isinstance(cell, str) else cell for cell in cells)
        super().add_row(*shown, style=style, end_section=end_section)


def new_table(*columns: str, numbers: tuple[str, ...] = (), title: str | None = None) -> Table:
    """Make a table with these columns, those in `numbers` to the right."""
    title = None if title is None else visible(title)
    table = VisibleTable(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(visible(column), justify="right" if column in numbers else "left", no_wrap=True)
    return table


def print_tables(*tables: Table) -> None:
    """Print tables to stdout in full; colours only on a terminal."""
    console = Terminal()
    wide = console.options.update(max_width=10_000)
    widths = [Measurement.get(console, wide, table).maximum for table in tables if table.row_count <= LONG]
    console = Terminal(width=max(console.width, *widths, 0))
    for table in tables:
        if table.row_count <= LONG:
            console.print(table)
        else:
            console.file.write("\n".join(_plain(table)) + "\n")


def _plain(table: Table) -> Iterator[str]:
    """The lines of a table as rich lays it out, without colours."""
    columns = [[str(cell) for cell in (column.header, *column.cells)] for column in table.columns]
    widths = [max(map(cell_len, cells)) for cells in columns]
    right = [column.justify == "right" for column in table.columns]
    yield from [str(table.title)] if table.title else []
    yield ""
    for i, row in enumerate(zip(*columns, strict=True)):
        blanks = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        aligned = zip(row, blanks, right, strict=True)
        yield " " + "   ".join(blank + cell if to_right else cell + blank for cell, blank, to_right in aligned) + " "
        if i == 0:
            yield " " + "\N{BOX DRAWINGS LIGHT HORIZONTAL}" * (sum(widths) + 3 * (len(widths) - 1)) + " "
    yield ""
