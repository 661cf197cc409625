"""Counts of models as layer tables, tables side by side, JSON documents and CSV."""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from resvision import catalog
from resvision.cli.tables import VisibleTable, fits, new_table, print_lines, print_tables

if TYPE_CHECKING:
    from resvision.probes.count import Count, Layer

KEPT = "activations: what autograd keeps of one image for the backward pass, in the type of the weights"
CSV_HEADER = (
    "model",
    "layer",
    "kind",
    "output",
    "params",
    "params_share",
    "macs",
    "macs_share",
    "receptive_field",
    "stride",
    "activation_bytes",
)


class Inspected(NamedTuple):
    """A model with its counts; `shortcut` is "-" for a net that names none, `side_params` are those of side heads.

    `activation_bytes` is the result of `probes.memory.kept_bytes`.
    """

    row: catalog.Row
    num_classes: int | None
    options: dict[str, Any]
    shortcut: str
    side_params: int
    activation_bytes: int
    total: "Count"


def show(inspected: list[Inspected], *, as_json: bool, as_csv: bool, wide: bool) -> None:
    """Print the counts of models: one with its layers, several side by side."""
    if as_json:
        typer.echo(json.dumps({"models": [_document(model) for model in inspected]}, indent=2))
        return
    if as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(CSV_HEADER)
        writer.writerows(row for model in inspected for row in _csv_rows(model))
        return
    if len(inspected) == 1:
        print_tables(_layer_table(inspected[0]), _comparison(inspected), wide=wide)
    else:
        stages = _stage_table(inspected)
        print_tables(
            _comparison(inspected), stages if fits(stages, wide=wide) else _narrow_stage_table(inspected), wide=wide
        )
    print_lines(KEPT)
    for model in inspected:
        if model.side_params:
            without = model.total.params - model.side_params
            print_lines(f"{model.row.name}: {without:,} without the side heads, which only training runs")


def _document(model: Inspected) -> dict[str, Any]:
    return {
        "name": model.row.name,
        "paper": model.row.paper,
        "year": model.row.year,
        "num_classes": model.num_classes,
        "options": {**model.row.options, **model.options},
        "shortcut": model.shortcut,
        "side_params": model.side_params,
        "activation_bytes": model.activation_bytes,
        "input": model.total.input,
        "params": model.total.params,
        "macs": model.total.macs,
        "depth": model.total.depth,
        "receptive_field": model.total.receptive_field,
        "layers": [{**asdict(layer), **shares} for layer, shares in _with_shares(model.total)],
    }


def _with_shares(total: "Count") -> Iterator[tuple["Layer", dict[str, float]]]:
    """Yield every layer with its shares, from 0 to 1, of the parameters and MACs of all layers that run."""
    params = sum(layer.params for layer in total.layers) or 1
    macs = total.macs or 1
    for layer in total.layers:
        yield layer, {"params_share": layer.params / params, "macs_share": layer.macs / macs}


def _csv_rows(model: Inspected) -> Iterator[list[Any]]:
    """Yield a row for each layer, then the totals as layer `total`; receptive fields of the whole image are empty."""
    for layer, shares in _with_shares(model.total):
        yield [
            model.row.name,
            layer.name,
            layer.kind,
            shape_words(layer.shape),
            layer.params,
            f"{shares['params_share']:.6f}",
            layer.macs,
            f"{shares['macs_share']:.6f}",
            layer.receptive_field,
            layer.stride,
            None,
        ]
    total = model.total
    field, kept = total.receptive_field, model.activation_bytes
    yield [
        model.row.name,
        "total",
        None,
        shape_words(total.outputs[""]),
        total.params,
        1,
        total.macs,
        1,
        field,
        None,
        kept,
    ]


def _layer_table(model: Inspected) -> VisibleTable:
    """A table of every call that has weights, multiplies, or changes the shape."""
    title = f"{model.row.name} on {shape_words(model.total.input)}"
    numbers = ("output", "params", "share", "MACs", "share ", "field", "stride")
    least = ("stride", "field", "share ", "share", "kind")
    table = new_table("layer", "kind", *numbers, numbers=numbers, title=title, least=least)
    shape: tuple[int, ...] = model.total.input
    for layer, shares in _with_shares(model.total):
        if layer.params or layer.macs or layer.shape != shape:
            table.add_row(layer.name or "(net)", layer.kind, *_cells(layer, shares))
        shape = layer.shape
    return table


def _cells(layer: "Layer", shares: dict[str, float]) -> list[str]:
    field, stride = layer.receptive_field, layer.stride
    return [
        shape_words(layer.shape),
        f"{layer.params:,}",
        f"{shares['params_share']:.1%}",
        f"{layer.macs:,}",
        f"{shares['macs_share']:.1%}",
        "global" if field is None else str(field),
        "-" if stride is None else f"{stride:g}",
    ]


def _comparison(models: list[Inspected]) -> VisibleTable:
    numbers = ("params", "MACs", "field", "depth", "activations")
    least = ("paper", "shortcut", "input", "field", "activations")
    table = new_table("model", "input", *numbers, "shortcut", "paper", numbers=numbers, title="Totals", least=least)
    for model in models:
        total = model.total
        field = "global" if total.receptive_field is None else str(total.receptive_field)
        kept = f"{model.activation_bytes / 2**20:,.1f} MiB"
        figures = (f"{total.params:,}", f"{total.macs:,}", field, str(total.depth), kept)
        table.add_row(model.row.name, shape_words(total.input), *figures, model.shortcut, model.row.paper)
    return table


def _stage_table(models: list[Inspected]) -> VisibleTable:
    """A table of output, parameters and MACs of the nets' own children, side by side, totals last."""
    columns = [f"{model.row.name}\n{figure}" for model in models for figure in ("output", "params", "MACs")]
    table = new_table("stage", *columns, numbers=columns, title="Stage by stage")
    grouped = [_by_stage(model.total) for model in models]
    for stage in _merged([[*stages] for stages in grouped]):
        cells: list[str] = []
        for stages in grouped:
            layers = stages.get(stage, [])
            cells.append(shape_words(layers[-1].shape) if layers else "-")
            cells.extend(_sum(layers, figure) if layers else "-" for figure in (_params, _macs))
        table.add_row(stage, *cells)
    table.add_section()
    totals = [[" ", f"{model.total.params:,}", f"{model.total.macs:,}"] for model in models]
    table.add_row("total", *(cell for cells in totals for cell in cells))
    return table


def _narrow_stage_table(models: list[Inspected]) -> VisibleTable:
    """The same in a line for each net, below one another; the totals stand in the table before it."""
    figures = ("output", "params", "MACs")
    table = new_table("stage", "model", *figures, numbers=figures, title="Stage by stage", least=("output",))
    grouped = [(model.row.name, _by_stage(model.total)) for model in models]
    for stage in _merged([[*stages] for _, stages in grouped]):
        having = [(name, stages[stage]) for name, stages in grouped if stage in stages]
        for heading, (name, layers) in zip([stage, *("" for _ in having)], having, strict=False):
            table.add_row(heading, name, shape_words(layers[-1].shape), _sum(layers, _params), _sum(layers, _macs))
        table.add_section()
    return table


def _by_stage(total: "Count") -> dict[str, list["Layer"]]:
    """The layers grouped by the net's own children, in the order of running; only children with weights or MACs."""
    stages: dict[str, list[Layer]] = {}
    for layer in total.layers:
        stages.setdefault(layer.name.partition(".")[0] or "(net)", []).append(layer)
    return {stage: rows for stage, rows in stages.items() if any(row.params or row.macs for row in rows)}


def _merged(orders: list[list[str]]) -> list[str]:
    """Merge several orders of names: each new name comes right after the one that it follows in its own order."""
    merged: list[str] = []
    for order in orders:
        position = 0
        for name in order:
            if name not in merged:
                merged.insert(position, name)
            position = merged.index(name) + 1
    return merged


def _sum(layers: list["Layer"], figure: Callable[["Layer"], int]) -> str:
    return f"{sum(map(figure, layers)):,}"


def _params(layer: "Layer") -> int:
    return layer.params


def _macs(layer: "Layer") -> int:
    return layer.macs


def shape_words(shape: tuple[int, ...]) -> str:
    """A shape as `3x224x224`."""
    return "x".join(map(str, shape))
