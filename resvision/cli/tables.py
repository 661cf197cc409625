"""Tables on the terminal: as wide as they need to be, so that no number is cut, in a pipe as on a screen."""

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


def new_table(*columns: str, numbers: tuple[str, ...] = (), title: str | None = None) -> Table:
    """A table with these columns, those in `numbers` to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", no_wrap=True)
    return table


def print_tables(*tables: Table) -> None:
    """Print tables to stdout in full; colours only on a terminal."""
    console = Console(highlight=False, markup=False)
    widths = [Measurement.get(console, console.options.update(max_width=10_000), table).maximum for table in tables]
    console = Console(highlight=False, markup=False, width=max(console.width, *widths))
    for table in tables:
        console.print(table)
