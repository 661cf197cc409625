"""`resvision inspect MODEL...`: layers, parameters, multiply-adds, receptive fields; nets side by side."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.table import Table

from resvision import catalog
from resvision.cli.tables import new_table, print_tables
from resvision.core.errors import SettingsError

if TYPE_CHECKING:
    from resvision.probes.count import Count, Layer


class Inspected(NamedTuple):
    """A model with its counts; `shortcut` is "-" for a net that does not say, `side_params` those of side heads."""

    row: catalog.Row
    num_classes: int
    options: dict[str, Any]
    shortcut: str
    side_params: int
    total: "Count"


def command(
    models: Annotated[list[str], typer.Argument(help="Names of the catalog, or package.module:function.")],
    input_: Annotated[
        str | None, typer.Option("--input", help="CxHxW, such as 3x224x224 [default: the paper's].")
    ] = None,
    num_classes: Annotated[int | None, typer.Option(help="[default: the paper's]")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="An option of the net, such as width=32. Repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Show output shapes, parameters, MACs and receptive fields; several models side by side."""
    options = dict(parse_option(text) for text in option or [])
    shape = _parse_shape(input_) if input_ else None
    inspected = [_inspect(name, shape, num_classes, options) for name in models]
    if as_json:
        typer.echo(json.dumps({"models": [_document(model) for model in inspected]}, indent=2))
    elif len(inspected) == 1:
        print_tables(_layer_table(inspected[0]), _comparison(inspected))
    else:
        print_tables(_comparison(inspected), _stage_table(inspected))
    for model in [] if as_json else inspected:
        if model.side_params:
            without = model.total.params - model.side_params
            typer.echo(f"{model.row.name}: {without:,} without the side heads, which only training runs")


def _inspect(
    name: str, shape: tuple[int, int, int] | None, num_classes: int | None, given: dict[str, Any]
) -> Inspected:
    row = catalog.find(name)
    taken = catalog.options(name)  # says which extra is missing before torch is asked for
    import torch

    from resvision.classification.auxiliary import side_parameters
    from resvision.probes.count import count

    shape = shape or row.input
    num_classes = row.num_classes if num_classes is None else num_classes
    of_the_input = {"in_channels": shape[0], "input_size": shape[1]}
    options = {key: value for key, value in of_the_input.items() if key in taken} | given
    with torch.device("meta"):
        net = catalog.build(name, num_classes=num_classes, **options)
    shortcut = str(getattr(net, "shortcut", "-"))
    return Inspected(row, num_classes, options, shortcut, side_parameters(net), count(net, shape))


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
        **asdict(model.total),
    }


def _layer_table(model: Inspected) -> Table:
    """Every call that has weights, multiplies, or changes the shape."""
    title = f"{model.row.name} on {_shape(model.total.input)}"
    numbers = ("output", "params", "MACs", "field", "stride")
    table = new_table("layer", "kind", *numbers, numbers=numbers, title=title)
    shape: tuple[int, ...] = model.total.input
    for layer in model.total.layers:
        if layer.params or layer.macs or layer.shape != shape:
            table.add_row(layer.name or "(net)", layer.kind, *_cells(layer))
        shape = layer.shape
    return table


def _cells(layer: "Layer") -> list[str]:
    field, stride = layer.receptive_field, layer.stride
    return [
        _shape(layer.shape),
        f"{layer.params:,}",
        f"{layer.macs:,}",
        "global" if field is None else str(field),
        "-" if stride is None else f"{stride:g}",
    ]


def _comparison(models: list[Inspected]) -> Table:
    numbers = ("params", "MACs", "field", "depth")
    table = new_table("model", "input", *numbers, "shortcut", "paper", numbers=numbers, title="Totals")
    for model in models:
        total = model.total
        field = "global" if total.receptive_field is None else str(total.receptive_field)
        figures = (f"{total.params:,}", f"{total.macs:,}", field, str(total.depth))
        table.add_row(model.row.name, _shape(total.input), *figures, model.shortcut, model.row.paper)
    return table


def _stage_table(models: list[Inspected]) -> Table:
    """Output, parameters and MACs of the nets' own children, side by side, totals last."""
    figures = ("{}\noutput", "\nparams", "\nMACs")
    columns = [figure.format(model.row.name) for model in models for figure in figures]
    table = new_table("stage", *columns, numbers=tuple(columns), title="Stage by stage")
    grouped = [_by_stage(model.total) for model in models]
    for stage in _woven([[*stages] for stages in grouped]):
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


def _by_stage(total: "Count") -> dict[str, list["Layer"]]:
    """The rows by the net's own child they belong to, of children with weights or MACs, as they run."""
    stages: dict[str, list[Layer]] = {}
    for layer in total.layers:
        stages.setdefault(layer.name.partition(".")[0] or "(net)", []).append(layer)
    return {stage: rows for stage, rows in stages.items() if any(row.params or row.macs for row in rows)}


def _woven(orders: list[list[str]]) -> list[str]:
    """All names once, each new one right after the one it follows in its own order."""
    woven: list[str] = []
    for order in orders:
        place = 0
        for name in order:
            if name not in woven:
                woven.insert(place, name)
            place = woven.index(name) + 1
    return woven


def _sum(layers: list["Layer"], figure: Callable[["Layer"], int]) -> str:
    return f"{sum(map(figure, layers)):,}"


def _params(layer: "Layer") -> int:
    return layer.params


def _macs(layer: "Layer") -> int:
    return layer.macs


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
