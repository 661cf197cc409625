"""`resvision list`: the catalog, grouped by paper; with `--table` parameters, MACs and published errors."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from resvision.catalog import ROWS, Row
from resvision.cli.tables import new_table, print_tables

if TYPE_CHECKING:
    from resvision.papers.results import Published


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    table: Annotated[
        bool, typer.Option("--table", help="Years, parameters, MACs and published errors instead.")
    ] = False,
) -> None:
    """List every model that can be named, by paper."""
    if as_json:
        rows = [_document(row) if table else asdict(row) for row in ROWS]
        typer.echo(json.dumps({"models": rows}, indent=2))
    elif table:
        print_tables(_figures())
        typer.echo("parameters and MACs: ours, at the input and classes of `resvision list`; side heads are counted in")
        typer.echo("errors: % of single nets, as published; nothing here was measured by resvision")
    else:
        print_tables(*_by_paper())


def _by_paper() -> Iterator[Table]:
    for paper, rows in groupby(ROWS, key=lambda row: row.paper):
        table = new_table("model", "task", "stands for", "input", "classes", "recipe", title=paper)
        for row in rows:
            shape = "x".join(map(str, row.input))
            table.add_row(row.name, row.task, _meaning(row), shape, str(row.num_classes), row.recipe)
        yield table


def _meaning(row: Row) -> str:
    fixed = [f"{key} {value}" for key, value in row.options.items()]
    return ", ".join(fixed + [f"{key} {value} by default" for key, value in row.usual.items()])


def _figures() -> Table:
    """A table with a row for every published error of every model; the first has the model's own figures."""
    from resvision.papers.counts import counts
    from resvision.papers.results import of_net

    numbers = ("year", "params", "MACs", "top-1", "top-5")
    table = new_table("model", *numbers, "of", "protocol", "published by", numbers=numbers)
    for row in ROWS:
        counted = counts().get(row.name)
        figures = (f"{counted.params:,}", f"{counted.macs:,}") if counted else ("-", "-")
        first, *others = [_published(result) for result in of_net(row.name)] or [("-",) * 5]
        table.add_row(row.name, str(row.year), *figures, *first)
        for other in others:
            table.add_row("", "", "", "", *other)
    return table


def _published(result: "Published") -> tuple[str, ...]:
    errors = ["-" if error is None else str(error) for error in (result.top1, result.top5)]
    scales = f" {', '.join(map(str, result.scales))}" if result.scales else ""
    tested = ", ".join(filter(None, (f"{result.protocol}{scales}", result.note)))
    return *errors, result.data, tested, _short(result.source)


def _short(source: str) -> str:
    """A source without the paper's number, which `list` and `--json` give."""
    return re.sub(r", (arXiv|doi):[^, ]+", "", source)


def _document(row: Row) -> dict[str, Any]:
    from resvision.papers.counts import counts
    from resvision.papers.results import of_net

    counted = counts().get(row.name)
    return {
        "name": row.name,
        "paper": row.paper,
        "year": row.year,
        "input": row.input,
        "params": counted.params if counted else None,
        "macs": counted.macs if counted else None,
        "published": [asdict(result) for result in of_net(row.name)],
    }
