"""`resvision inspect --paper`: a paper's table beside ours, with differences marked."""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from resvision import catalog
from resvision.cli.tables import VisibleTable, new_table, print_lines, print_tables
from resvision.core.errors import SettingsError
from resvision.papers.printed import NOTHING, Compared, PrintedTable, compare
from resvision.papers.tables import TABLES

if TYPE_CHECKING:
    from resvision.probes.count import Count

CSV_HEADER = ("model", "table", "row", "column", "printed", "ours", "agrees")


class ComparedTable(NamedTuple):
    """A printed table with the values of a net of ours: for every line, by column."""

    name: str
    table: PrintedTable
    values: list[dict[str, Compared]]


def table_of(name: str) -> PrintedTable:
    """The printed table of a model; SettingsError where none is kept."""
    catalog.find(name)
    if name not in TABLES:
        raise SettingsError(f"{name}: no printed table to compare with; there is one of {', '.join(TABLES)}")
    return TABLES[name]


def show(
    tables: list[tuple[str, PrintedTable]], count: Callable[[str], "Count"], *, as_json: bool, as_csv: bool, wide: bool
) -> None:
    """Print every model's table in the form that is asked for."""
    compared_tables = [_compare_table(name, table, count(name)) for name, table in tables]
    if as_json:
        typer.echo(json.dumps({"models": [_document(compared) for compared in compared_tables]}, indent=2))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(CSV_HEADER)
        for compared in compared_tables:
            writer.writerows([compared.name, compared.table.title, *cells] for cells in _cells(compared))
    else:
        for compared in compared_tables:
            print_tables(_table(compared), wide=wide)
            print_lines(*_summary(compared))


def _compare_table(name: str, table: PrintedTable, counted: "Count") -> ComparedTable:
    values = [{column: compare(cell, counted) for column, cell in line.cells.items()} for line in table.lines]
    return ComparedTable(name, table, values)


def _cells(compared: ComparedTable) -> Iterator[tuple[str, str, str, str, bool | None]]:
    for line, values in zip(compared.table.lines, compared.values, strict=True):
        for column, value in values.items():
            yield line.label, column, value.printed, value.ours, value.agrees


def _document(compared: ComparedTable) -> dict[str, Any]:
    cells = [dict(zip(CSV_HEADER[2:], cell, strict=True)) for cell in _cells(compared)]
    return {"name": compared.name, "paper": compared.table.paper, "table": compared.table.title, "cells": cells}


def _table(compared: ComparedTable) -> VisibleTable:
    """A table of two rows for every printed one: the paper's, and ours with a mark before every value."""
    title = f"{compared.name} beside {compared.table.title} of {compared.table.paper}"
    table = new_table("", " ", *compared.table.columns, title=title)
    for line, values in zip(compared.table.lines, compared.values, strict=True):
        table.add_row(line.label, "printed", *(_printed(values.get(column)) for column in compared.table.columns))
        table.add_row("", "ours", *(_ours(values.get(column)) for column in compared.table.columns), end_section=True)
    return table


def _printed(value: Compared | None) -> str:
    return value.printed if value else ""


def _ours(value: Compared | None) -> str:
    if value is None:
        return ""
    return {True: "= ", False: "!= ", None: ""}[value.agrees] + value.ours


def _summary(compared: ComparedTable) -> Iterator[str]:
    """Yield the number of values that agree, those that differ, and the notes."""
    cells = [cell for cell in _cells(compared) if cell[2] != NOTHING]
    differing = [cell for cell in cells if not cell[4]]
    yield f"{len(cells) - len(differing)} of {len(cells)} printed values agree"
    for label, column, printed, ours, _ in differing:
        yield f"differs: {label or 'last row'}, {column}: {printed} printed, {ours} ours"
    yield from compared.table.notes
    yield ""
