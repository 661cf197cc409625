"""`resvision list`: the catalog, grouped by paper."""

import json
from dataclasses import asdict
from itertools import groupby
from typing import Annotated

import typer

from resvision.catalog import ROWS, Row
from resvision.cli.tables import new_table, print_tables


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """List every model that can be named, by paper."""
    if as_json:
        typer.echo(json.dumps({"models": [asdict(row) for row in ROWS]}, indent=2))
        return
    tables = []
    for paper, rows in groupby(ROWS, key=lambda row: row.paper):
        table = new_table("model", "task", "stands for", "input", "classes", "recipe", title=paper)
        for row in rows:
            shape = "x".join(map(str, row.input))
            table.add_row(row.name, row.task, _meaning(row), shape, str(row.num_classes), row.recipe)
        tables.append(table)
    print_tables(*tables)


def _meaning(row: Row) -> str:
    return ", ".join(f"{key} {value}" for key, value in row.options.items())
