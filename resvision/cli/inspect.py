"""`resvision inspect MODEL...`: layers, parameters, multiply-adds, receptive fields; nets side by side; pictures."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from resvision import catalog
from resvision.cli.layer_tables import Inspected, shape_words, show
from resvision.cli.shared_options import AllowCode, AsJson
from resvision.cli.tables import Wide
from resvision.core.errors import SettingsError
from resvision.core.references import is_installed, is_reference
from resvision.inspection.table import PROBES

if TYPE_CHECKING:
    from torch import nn

    from resvision.probes.count import Count


class Built(NamedTuple):
    """A net without weights, with the options and the input shape that it was built for."""

    row: catalog.Row
    num_classes: int | None
    options: dict[str, Any]
    input: tuple[int, int, int]
    net: "nn.Module"


def command(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Name models of `resvision list`, or package.module:function; for --raster, data or a run;"
            " for --probe, runs."
        ),
    ],
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
    anchors: Annotated[
        Path | None,
        typer.Option(
            "--anchors",
            metavar="IMAGE",
            help="Show the anchors of one model or run, or the regions that it is given, over this image instead.",
        ),
    ] = None,
    raster: Annotated[
        bool,
        typer.Option(
            "--raster", help="Show samples of one data set, or of a run, as they are drawn for a net, instead."
        ),
    ] = False,
    count: Annotated[int, typer.Option(min=1, max=100, help="Show this number of samples with --raster.")] = 4,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Draw --raster so, as data.drawn_past=channels. Repeatable."),
    ] = None,
    probe: Annotated[
        str | None,
        typer.Option(
            "--probe",
            metavar="NAME",
            help=f"Show what a probe finds in a run, or in two, instead: {', '.join(PROBES)}.",
        ),
    ] = None,
    images: Annotated[
        int | None, typer.Option(min=1, help="Let --probe look at this number of images, at its usual one if left out.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Count the boxes of this set that no anchor or region of --anchors matches."),
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Look for a named data set in this folder.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Take this split of --data, --raster or --probe, the usual one if left out.")
    ] = None,
    allow: Annotated[
        str | None, typer.Option(metavar="KINDS", help="Leave out boxes with these faults, as `train --allow` does.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the pictures of --anchors, --raster or --probe into this folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let --svg or --out replace files.")] = False,
    allow_code: AllowCode = False,
    wide: Wide = False,
) -> None:
    """Show the layers, parameters and MACs of models.

    Output shapes, receptive fields and activations stand beside them; several models are shown side by side.
    """
    if as_json and as_csv:
        raise SettingsError("--json and --csv exclude each other")
    if svg is None and (fold is not None or (force and out is None)):
        raise SettingsError("--fold and --force are about a picture; name its file with --svg")
    if probe is not None:
        if any((paper, svg, anchors, raster, settings, data, root, allow, input_, num_classes, option)):
            raise SettingsError("--probe takes --split, --images, --out, --force, --csv and --json alone")
        from resvision.cli import probes

        asked_probe = probes.ProbeQuestion(models, probe, split, images, out, allow_code)
        probes.show(asked_probe, force=force, as_json=as_json, as_csv=as_csv, wide=wide)
        return
    if images is not None:
        raise SettingsError("--images is about --probe, which names what is looked at")
    if raster:
        others = (as_csv, paper, svg, anchors, data, allow, input_, num_classes, option)
        if any(others):
            raise SettingsError("--raster takes --count, --split, --root, --set, --out, --force and --json alone")
        if len(models) != 1:
            raise SettingsError("--raster shows samples of one data set or run; name one")
        from resvision.cli import samples

        question = samples.SampleQuestion(models[0], root, split, count, settings or [], out, allow_code)
        samples.show(question, force=force, as_json=as_json, wide=wide)
        return
    if settings:
        raise SettingsError("--set is about --raster; give a net its options by --option")
    if anchors is None and (data or root or allow or out or split):
        raise SettingsError(
            "--data, --root, --allow, --split and --out are about --anchors, which names an image to show them over,"
            " or about --raster or --probe"
        )
    if paper and not (input_ is None and num_classes is None and not option):
        raise SettingsError("--paper compares nets as published; leave out --input, --num-classes and --option")
    options = dict(parse_option(text) for text in option or [])
    shape = _parse_shape(input_) if input_ else None
    if anchors is not None:
        if as_csv or paper or svg is not None or len(models) != 1:
            raise SettingsError("--anchors shows those of one model, without --csv, --paper and --svg")
        from resvision.cli import anchors as anchor_verb

        asked = anchor_verb.AnchorQuestion(
            anchors, data, root, split or "train", allow, out, shape, num_classes, options
        )
        anchor_verb.show(models[0], asked, force=force, as_json=as_json, wide=wide)
    elif svg is not None:
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
        show(inspected, as_json=as_json, as_csv=as_csv, wide=wide)


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
    name, shape = built.row.name, shape_words(built.input)
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
