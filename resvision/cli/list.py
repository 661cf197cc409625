"""`resvision list`: the catalog or a part of it, by paper, and the bundles that are shipped.

With `--table` parameters, MACs and published results.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resvision.catalog import ROWS, Row
from resvision.cli.shared_options import AsJson
from resvision.cli.tables import VisibleTable, Wide, new_table, print_lines, print_tables
from resvision.core.errors import unknown_name
from resvision.runtime.shipped import SHIPPED, SHIPPED_IN

if TYPE_CHECKING:
    from resvision.papers.results import Published, PublishedBoxes
    from resvision.runtime.bundle_format import Manifest


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILTER",
            help="Show the models whose name, paper, task or year holds each of these words, and bundles likewise.",
        ),
    ] = None,
    as_json: AsJson = False,
    table: Annotated[
        bool, typer.Option("--table", help="Show years, parameters, MACs and published results instead.")
    ] = False,
    wide: Wide = False,
) -> None:
    """List the models that can be named, and the shipped bundles."""
    bundles = _bundles(words or [])
    rows = _matching(words or [], bundles)
    if as_json:
        typer.echo(json.dumps(_documents(rows, bundles, table=table), indent=2))
    elif table:
        print_tables(*_figures(rows), wide=wide)
        print_lines(
            "parameters and MACs: ours, at the input and classes of `resvision list`; side heads are counted in"
        )
        print_lines("published: % of single nets; nothing here was measured by resvision")
    else:
        print_tables(*_by_paper(rows), *_shipped(bundles), wide=wide)


def _bundles(words: Sequence[str]) -> "dict[str, Manifest]":
    """The shipped bundles that hold every word in name, net, data, or task, by name."""
    from resvision.runtime.bundle_format import read_manifest

    manifests = {name: read_manifest(SHIPPED_IN / name) for name in SHIPPED}
    return {
        name: manifest
        for name, manifest in manifests.items()
        if all(word.lower() in f"{name} {manifest.net} {manifest.data} {manifest.task}" for word in words)
    }


def _matching(words: Sequence[str], bundles: "Mapping[str, Manifest]") -> list[Row]:
    """The rows that hold every word; UnknownNameError, with names that are near, where neither they nor bundles do."""
    rows = [row for row in ROWS if all(word.lower() in _searched(row) for word in words)]
    if not rows and not bundles:
        raise unknown_name("model, paper, task or year", " ".join(words), [*SHIPPED, *(row.name for row in ROWS)])
    return rows


def _searched(row: Row) -> str:
    return f"{row.name} {row.task} {row.year} {row.paper}".lower()


def _by_paper(listed: Sequence[Row]) -> Iterator[VisibleTable]:
    for paper, rows in groupby(listed, key=lambda row: row.paper):
        columns = ("model", "task", "stands for", "input", "classes", "recipe")
        table = new_table(*columns, title=paper, least=("task", "classes", "input", "recipe", "stands for"))
        for row in rows:
            shape = "x".join(map(str, row.input))
            classes = "-" if row.num_classes is None else str(row.num_classes)
            table.add_row(row.name, row.task, _meaning(row), shape, classes, row.recipe)
        yield table


def _shipped(bundles: "Mapping[str, Manifest]") -> Iterator[VisibleTable]:
    """A table of shipped bundles; none where there are none."""
    if not bundles:
        return
    table = new_table("bundle", "task", "net", "data", "score", title="Shipped: predict, evaluate and serve take these")
    for name, manifest in bundles.items():
        table.add_row(name, manifest.task, manifest.net, manifest.data, _score(manifest))
    yield table


def _score(manifest: "Manifest") -> str:
    """The main figure by the graph, in words; - where it was not measured."""
    from resvision.kinds.table import kind_of

    if (measured := manifest.measured) is None:
        return "-"
    kind = kind_of(manifest.task)
    return f"{kind.noun(measured.figure)} {kind.write(measured.figure, measured.after)}"


def _meaning(row: Row) -> str:
    fixed = [f"{key} {value}" for key, value in row.options.items()]
    return ", ".join(fixed + [f"{key} {value} by default" for key, value in row.usual.items()])


def _figures(rows: Sequence[Row]) -> Iterator[VisibleTable]:
    """A table of each task, with a row for every published result of every model; the first has its own figures."""
    from resvision.kinds.table import kind_of
    from resvision.papers.counts import counts
    from resvision.papers.results import of_net

    for task, models in groupby(rows, key=lambda row: row.task):
        compared = kind_of(task).compared
        numbers = ("year", "params", "MACs", *compared.values())
        columns = ("model", *numbers, "of", "protocol", "published by")
        table = new_table(*columns, numbers=numbers, title=task, least=("year", "MACs"))
        for row in models:
            counted = counts().get(row.name)
            figures = (f"{counted.params:,}", f"{counted.macs:,}") if counted else ("-", "-")
            first, *others = [_published(result, compared) for result in of_net(row.name)] or [
                ("-",) * (len(compared) + 3)
            ]
            table.add_row(row.name, str(row.year), *figures, *first)
            for other in others:
                table.add_row("", "", "", "", *other)
        yield table


def _published(result: "Published | PublishedBoxes", compared: Mapping[str, str]) -> tuple[str, ...]:
    percents = [result.percents.get(name) for name in compared]
    errors = ["-" if percent is None else str(percent) for percent in percents]
    scales = f" {', '.join(map(str, result.scales))}" if result.scales else ""
    tested = ", ".join(filter(None, (f"{result.protocol}{scales}", result.note)))
    return *errors, result.data, tested, _short(result.source)


def _short(source: str) -> str:
    """A source without the paper's number, which `list` and `--json` give."""
    return re.sub(r", (arXiv|doi):[^, ]+", "", source)


def _documents(rows: Sequence[Row], bundles: "Mapping[str, Manifest]", *, table: bool) -> dict[str, Any]:
    """What is listed, as plain data."""
    models = [_document(row) if table else asdict(row) for row in rows]
    shipped = [
        {"name": name, "task": manifest.task, "net": manifest.net, "data": manifest.data, "score": _score(manifest)}
        for name, manifest in bundles.items()
    ]
    return {"models": models, "bundles": shipped}


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
