"""`resvision inspect MODEL...`: layers, parameters, multiply-adds, receptive fields; nets side by side; pictures."""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from resvision import catalog
from resvision.cli.shared_options import AsJson
from resvision.cli.tables import VisibleTable, Wide, fits, new_table, print_lines, print_tables
from resvision.core.errors import SettingsError
from resvision.core.references import is_installed, is_reference

if TYPE_CHECKING:
    from torch import nn

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
    num_classes: int
    options: dict[str, Any]
    shortcut: str
    side_params: int
    activation_bytes: int
    total: "Count"


class Built(NamedTuple):
    """A net without weights, with the options and the input shape that it was built for."""

    row: catalog.Row
    num_classes: int
    options: dict[str, Any]
    input: tuple[int, int, int]
    net: "nn.Module"


def command(
    models: Annotated[list[str], typer.Argument(help="Name models of `resvision list`, or package.module:function.")],
    input_: Annotated[
        str | None, typer.Option("--input", help="Count for this input, CxHxW such as 3x224x224, not the paper's.")
    ] = None,
    num_classes: Annotated[
        int | None, typer.Option(help="Build the nets for this number of classes, in place of the paper's.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="Give the nets this option, such as width=32. Repeatable."),
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a row for each layer and one of totals.")] = False,
    paper: Annotated[bool, typer.Option("--paper", help="Show the paper's own table beside ours.")] = False,
    svg: Annotated[Path | None, typer.Option("--svg", help="Draw the one model into this file instead.")] = None,
    fold: Annotated[
        bool | None,
        typer.Option(
            "--fold/--no-fold", help="Draw repeated parts once, or all of them; if left out, once in long nets."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --svg replace a file.")] = False,
    wide: Wide = False,
) -> None:
    """Show the layers, parameters and MACs of models.

    Output shapes, receptive fields and activations stand beside them; several models are shown side by side.
    """
    if as_json and as_csv:
        raise SettingsError("--json and --csv exclude each other")
    if svg is None and (force or fold is not None):
        raise SettingsError("--fold and --force are about a picture; name its file with --svg")
    if paper and not (input_ is None and num_classes is None and not option):
        raise SettingsError("--paper compares nets as published; leave out --input, --num-classes and --option")
    options = dict(parse_option(text) for text in option or [])
    shape = _parse_shape(input_) if input_ else None
    if svg is not None:
        if as_json or as_csv or paper or len(models) != 1:
            raise SettingsError("--svg draws one model, without --json, --csv and --paper")
        from resvision.report.architecture import require_free

        require_free(svg, force=force)
        _draw(_build(models[0], shape, num_classes, options), svg, fold=fold)
    elif paper:
        from resvision.cli import comparison

        comparison.show(
            [(name, comparison.table_of(name)) for name in models], _count_of, as_json=as_json, as_csv=as_csv, wide=wide
        )
    elif not (is_installed("torch") or shape or num_classes or options or as_csv) and not any(
        map(is_reference, models)
    ):
        from resvision.cli import kept_counts

        kept_counts.show(models, as_json=as_json, wide=wide)
    else:
        inspected = [_inspect(_build(name, shape, num_classes, options)) for name in models]
        _show(inspected, as_json=as_json, as_csv=as_csv, wide=wide)


def _show(inspected: list[Inspected], *, as_json: bool, as_csv: bool, wide: bool) -> None:
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


def _build(name: str, shape: tuple[int, int, int] | None, num_classes: int | None, given: dict[str, Any]) -> Built:
    row = catalog.find(name)
    taken = catalog.options(name, given)  # says which extra is missing before torch is asked for
    import torch

    from resvision.probes.shapes import WithoutDrawing

    shape = shape or row.input
    num_classes = row.num_classes if num_classes is None else num_classes
    from_input = {"in_channels": shape[0], "input_size": shape[1]}
    options = {key: value for key, value in from_input.items() if key in taken} | given
    with torch.device("meta"), WithoutDrawing():
        net = catalog.build(name, num_classes=num_classes, **options)
    return Built(row, num_classes, options, shape, net)


def _inspect(built: Built) -> Inspected:
    from resvision.classification.auxiliary import side_parameters
    from resvision.probes.count import count
    from resvision.probes.memory import kept_bytes

    shortcut = str(getattr(built.net, "shortcut", "-"))
    counted, kept = count(built.net, built.input), kept_bytes(built.net, built.input)
    return Inspected(built.row, built.num_classes, built.options, shortcut, side_parameters(built.net), kept, counted)


def _count_of(name: str) -> "Count":
    from resvision.probes.count import count

    built = _build(name, None, None, {})
    return count(built.net, built.input)


def _draw(built: Built, path: Path, *, fold: bool | None) -> None:
    from resvision.classification.auxiliary import side_parameters
    from resvision.probes.count import count
    from resvision.probes.graph import graph
    from resvision.report import architecture

    counted = count(built.net, built.input)
    name, shape = built.row.name, _shape(built.input)
    notes = [f"{counted.params:,} parameters, {counted.macs:,} multiply-adds for an image of {shape}", built.row.paper]
    if side := side_parameters(built.net):
        notes.append(f"{side:,} of the parameters are those of the side heads, which are not drawn")
    picture = architecture.draw(graph(built.net, built.input), title=name, notes=notes, fold=fold)
    architecture.write(path, picture)
    typer.echo(str(path))


def _parse_shape(text: str) -> tuple[int, int, int]:
    sizes = text.lower().split("x")
    if len(sizes) != 3 or not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise SettingsError(f"--input {text}: write channels, height and width as CxHxW, such as 3x224x224")
    channels, height, width = map(int, sizes)
    return channels, height, width


def parse_option(text: str) -> tuple[str, Any]:
    """Key and value of `key=value`; SettingsError for another form."""
    key, equals, value = text.partition("=")
    if not (key and equals and value):
        raise SettingsError(f"--option {text}: write it as key=value, such as --option width=32")
    try:
        return key, json.loads(value)  # numbers, true, false, null
    except (ValueError, RecursionError):  # not JSON, or a number of thousands of digits, or all brackets
        return key, value


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
            _shape(layer.shape),
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
    yield [model.row.name, "total", None, _shape(total.outputs[""]), total.params, 1, total.macs, 1, field, None, kept]


def _layer_table(model: Inspected) -> VisibleTable:
    """A table of every call that has weights, multiplies, or changes the shape."""
    title = f"{model.row.name} on {_shape(model.total.input)}"
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
        _shape(layer.shape),
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
        table.add_row(model.row.name, _shape(total.input), *figures, model.shortcut, model.row.paper)
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
            cells.append(_shape(layers[-1].shape) if layers else "-")
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
            table.add_row(heading, name, _shape(layers[-1].shape), _sum(layers, _params), _sum(layers, _macs))
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


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
