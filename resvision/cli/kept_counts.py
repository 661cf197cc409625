"""`resvision inspect` where torch is not installed: parameters and multiply-adds that were counted once and kept."""

import json

import typer

from resvision import catalog
from resvision.cli.tables import new_table, print_lines, print_tables
from resvision.core.references import EXTRAS
from resvision.papers.counts import counts

MISSING = f"layers, shapes and options need torch: pip install 'resvision[{EXTRAS['torch']}]'"


def show(models: list[str], *, as_json: bool, wide: bool) -> None:
    """Print the kept counts of the catalog's models, as a table or as JSON. UnknownNameError for other names."""
    rows = [catalog.find(name) for name in models]
    kept = [counts()[row.name] for row in rows]
    if as_json:
        documents = [
            {
                "name": row.name,
                "paper": row.paper,
                "year": row.year,
                "num_classes": row.num_classes,
                "input": row.input,
                "params": count.params,
                "macs": count.macs,
            }
            for row, count in zip(rows, kept, strict=True)
        ]
        typer.echo(json.dumps({"models": documents}, indent=2))
        return
    table = new_table("model", "input", "params", "MACs", "paper", numbers=("input", "params", "MACs"), title="Totals")
    for row, count in zip(rows, kept, strict=True):
        table.add_row(row.name, "x".join(map(str, row.input)), f"{count.params:,}", f"{count.macs:,}", row.paper)
    print_tables(table, wide=wide)
    print_lines(MISSING)
