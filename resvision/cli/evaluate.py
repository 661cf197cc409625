"""`resvision evaluate`: scores of a run as tables or JSON; of several runs, a table in the papers' form."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Unpack

import typer

from resvision.cli import overlap
from resvision.cli.engines import require_engine_named
from resvision.cli.shared_options import AllowCode, Grey, finds_of
from resvision.cli.tables import Wide, new_table, print_lines, print_tables
from resvision.cli.weights import (
    ColumnsOption,
    UseOptions,
    columns_of,
    known_of,
    load_and_warn,
    pixels_of,
    with_classes_of,
    with_use_options,
)
from resvision.core.plurals import counted
from resvision.runtime.shipped import is_place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resvision.inference.ensemble import Ensemble
    from resvision.inference.evaluate import Evaluation
    from resvision.inference.load import Trained
    from resvision.kinds.kind import Kind, Scores
    from resvision.papers.results import Published, PublishedBoxes, PublishedEnsemble
    from resvision.tasks import How


def _print_protocols(asked: bool) -> None:
    if asked:
        from resvision.kinds.table import TASKS, kind_of

        for name in TASKS:
            protocols = kind_of(name).protocols
            scales = ("scales in pixels",) if any(protocol.scales for protocol in protocols) else ()
            table = new_table("protocol", "views that are averaged", *scales, "paper", title=f"of {name}")
            for protocol in protocols:
                scales_cell = (protocol.scales or "the run's",) if scales else ()
                table.add_row(protocol.name, protocol.summary, *scales_cell, protocol.source)
            print_tables(table)
        raise typer.Exit


@with_use_options(after="runs")
def command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN", help="Evaluate these run directories, or a bundle by folder or name; with --weights, models."
        ),
    ],
    data: Annotated[
        str | None,
        typer.Option(help="Evaluate on this: where the run's data lie now, or other data with the same classes."),
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Look for a named data set in this folder.")] = None,
    columns: ColumnsOption = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Take this number of images or views at a time; 64 if left out, 4 where pixels are labelled.",
        ),
    ] = None,
    grey: Grey = False,
    compiled: Annotated[
        bool | None,
        typer.Option(
            "--compile/--no-compile",
            help="Compile the net first, or do not; if left out, it is compiled where that pays.",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(help="Test by this protocol; by center-crop if left out, or by whole images for label maps."),
    ] = None,
    scales: Annotated[
        str | None, typer.Option(help="Resize the shorter sides of images to these for the protocol, as 224,256.")
    ] = None,
    protocols: Annotated[
        bool,
        typer.Option("--protocols", help="List the protocols and leave.", is_eager=True, callback=_print_protocols),
    ] = False,
    table: Annotated[
        bool, typer.Option("--table", help="Print the scores beside published ones, a row for each run.")
    ] = False,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Add a row for the averaged softmax of all runs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")] = False,
    wide: Wide = False,
    allow_code: AllowCode = False,
    **options: Unpack[UseOptions],
) -> None:
    """Evaluate runs on their test images.

    Of a classifier this shows top-1 and top-5 error, loss, a table of the classes and their confusion; of a run that
    labels pixels mean IoU, accuracies, a row for each class and the confusion of pixels.
    """
    from resvision.cli import bundle_scores

    weights, stated = options["weights"], columns_of(columns)
    if weights is None and any(map(is_place, runs)):
        refused: dict[str, object] = {"--compile": compiled, "--scales": scales, "--table": table}
        refused |= {"--ensemble": ensemble, "--batch-size": batch_size}
        bundle_scores.evaluate_bundle(
            runs,
            data,
            options,
            root=root,
            columns=stated,
            protocol=protocol,
            refused=refused,
            as_json=as_json,
            wide=wide,
        )
        return
    from resvision import catalog
    from resvision.core.progress import Bar
    from resvision.core.terminal import Terminal
    from resvision.inference.ensemble import evaluate_ensemble
    from resvision.inference.evaluate import evaluate_with_overlap
    from resvision.kinds.table import kind_of
    from resvision.tasks import How

    require_engine_named(options)
    pixels = None if scales is None else pixels_of("--scales", scales)
    known = known_of(options)
    if weights is not None:  # mistakes are reported before the download
        for run in runs:
            _require_protocol(protocol, [kind_of(catalog.find(str(run)).task)])
            known = with_classes_of(known, str(run), weights, data, root=root, columns=stated)
    loaded = [load_and_warn(run, weights, known, allow_code=allow_code) for run in runs]
    _require_protocol(protocol, [trained.kind for trained in loaded])
    passes = 1 if ensemble else len(runs)
    bar = Bar(Terminal(stderr=True), "evaluating")
    how = How(batch_size, grey, compiled, protocol, pixels, lambda images, total: bar.advance(images, passes * total))
    how = how._replace(prediction=finds_of(options))
    if len(runs) > 1 or table or ensemble:
        with bar:
            result = evaluate_ensemble(loaded, data, root=root, columns=stated, how=how, together=ensemble)
        if as_json:
            print(json.dumps(_document(result), ensure_ascii=False))
        else:
            _show_table(result, wide=wide)
        return
    (trained,) = loaded
    if options["engine"] is not None:
        bundle_scores.evaluate_on_engine(
            trained, data, options, root=root, columns=stated, how=how, as_json=as_json, wide=wide
        )
        return
    how = how._replace(grey=how.grey or data is None)
    with bar:
        evaluation = evaluate_with_overlap(trained, data, root=root, columns=stated, how=how)
    _show_scores(trained, data or trained.data, how, evaluation, as_json=as_json, wide=wide)


def _require_protocol(name: str | None, kinds: "Iterable[Kind[Any, Any, Any]]") -> None:
    """Raise UnknownNameError for a protocol that a kind does not have; those of all our tasks are candidates."""
    from resvision.core.errors import UnknownNameError, unknown_name
    from resvision.kinds.table import TASKS, kind_of

    ours = [protocol.name for task in TASKS for protocol in kind_of(task).protocols]
    for kind in kinds:
        own = [protocol.name for protocol in kind.protocols]
        if name in ours and name not in own:
            raise UnknownNameError(f"protocol {name!r}: not one of {kind.name}, which has {', '.join(own)}")
        if name is not None and name not in own:
            remedy = "`resvision evaluate --protocols` shows all"
            raise unknown_name("protocol", name, dict.fromkeys([*own, *ours]), remedy=remedy)


def _show_scores(
    trained: "Trained", data: str, how: "How", evaluation: "Evaluation", *, as_json: bool, wide: bool
) -> None:
    """Print the scores of one run by a protocol."""
    from resvision.kinds.terminal_tables import as_text
    from resvision.papers.related import related

    described, kind = trained.task.describe(trained, how), trained.kind
    scores = evaluation.scores
    if as_json:
        header = {"run": str(trained.folder), "model": trained.name, "data": data}
        header |= {"arithmetic": trained.machine.precision}
        protocol = {} if described is None else {"protocol": described.json}
        known = {**overlap.counts(evaluation.overlap), **overlap.changes(evaluation.images)}
        print(json.dumps({**header, **protocol, **scores.to_json(), **known}, ensure_ascii=False))
        return
    print_lines(f"{trained.name} on {data}, {trained.machine.precision}")
    print_lines(*(() if described is None else (described.title, *described.lines)))
    if changed := overlap.summary(evaluation.images, kind.sample_noun):
        print_lines(changed)
    print_lines(*(f"note: {note}" for note in evaluation.images.notes))
    may_list = overlap.may_list(trained)
    lines = [*kind.lines(scores), *overlap.lines(evaluation.overlap, kind.sample_noun, listed=may_list)]
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        print_lines(f"{name:<{width}}  {value}")
    print()
    tables = []
    for table in [*kind.tables(scores), *map(as_text, related(data))]:
        shown_table = new_table(*table.columns, numbers=table.numbers, title=table.title, least=table.least)
        for row in table.rows:
            shown_table.add_row(*row)
        tables.append(shown_table)
    print_tables(*tables, wide=wide)


def _show_table(ensemble: "Ensemble", *, wide: bool) -> None:
    """Print a row for each run, then the ensemble, with published figures beside the measured ones."""
    kind, images = ensemble.members[0].trained.kind, ensemble.members[0].scores.images
    compared = kind.telling(kind.compared, len(ensemble.members[0].scores.classes))
    print_lines(f"{ensemble.data}, {counted(images, kind.sample_noun)}")
    if changed := overlap.summary(ensemble.images, kind.sample_noun):
        print_lines(changed)
    print_lines(*(f"note: {note}" for note in ensemble.images.notes))
    _show_protocols(ensemble)
    known = [overlap.cell(member.overlap, listed=overlap.may_list(member.trained)) for member in ensemble.members]
    shows_known = any(cell not in {"", "0"} for cell in known)
    any_published = bool(ensemble.published) or any(member.published for member in ensemble.members)
    measured = tuple(f"measured {heading}" for heading in compared.values())
    published = tuple(f"published {heading}" for heading in compared.values()) if any_published else ()
    trained_on = (overlap.heading(kind.sample_noun),) if shows_known else ()
    numbers = (*measured, *trained_on, *published)
    columns = ("run", "model", "arithmetic", *numbers, *(["published by"] if any_published else []))
    table = new_table(*columns, numbers=numbers, least=("arithmetic", "model", "published by"))
    unmeasured = ("",) * len((*measured, *trained_on))
    no_published = (*("-" for _ in published), "") if any_published else ()
    for member, cell in zip(ensemble.members, known, strict=True):
        trained = member.trained
        first_cells = (str(trained.folder), trained.name, trained.machine.precision)
        published_rows = [_published(result, compared) for result in member.published]
        table.add_row(
            *first_cells,
            *_measured(member.scores, kind),
            *((cell,) if shows_known else ()),
            *(published_rows[0] if published_rows else no_published),
        )
        for row in published_rows[1:]:
            table.add_row("", "", "", *unmeasured, *row)
    if ensemble.together is not None:
        name = f"ensemble of {len(ensemble.members)}, averaged softmax"
        cells = (overlap.cell(ensemble.overlap, listed=True),) if shows_known else ()
        table.add_row(name, "", "", *_measured(ensemble.together, kind), *cells, *no_published)
    for result in ensemble.published:
        row = _published(result, compared)
        table.add_row(f"{result.nets} x {result.name}", "", "", *unmeasured, *row)
    print_tables(table, wide=wide)
    if not any_published:
        print_lines(f"published: no figures for these nets on {ensemble.data} by this protocol")


def _show_protocols(ensemble: "Ensemble") -> None:
    """Print the protocol, with the details of each run where they differ."""
    described = [(member.trained, member.protocol) for member in ensemble.members if member.protocol is not None]
    if described:
        print_lines(described[0][1].title)
    if len({protocol.lines for _, protocol in described}) == 1:
        print_lines(*described[0][1].lines)
    else:
        for trained, protocol in described:
            print_lines(f"{trained.folder}: {' '.join(protocol.lines)}")
    print()


def _document(ensemble: "Ensemble") -> dict[str, Any]:
    """The table as plain data: measured shares are 0..1, published ones in percent."""
    rows = [
        {
            "run": str(member.trained.folder),
            "model": member.trained.name,
            "arithmetic": member.trained.machine.precision,
            "protocol": None if member.protocol is None else member.protocol.json,
            "measured": member.scores.figures(),
            **overlap.counts(member.overlap),
            "published": [_reported(result) for result in member.published],
        }
        for member in ensemble.members
    ]
    document = {"data": ensemble.data, "images": ensemble.members[0].scores.images, "rows": rows}
    document |= overlap.changes(ensemble.images)
    if ensemble.together is not None:
        document["ensemble"] = {
            "runs": len(rows),
            "measured": ensemble.together.figures(),
            **overlap.counts(ensemble.overlap),
            "published": [_reported(result) for result in ensemble.published],
        }
    return document


def _measured(scores: "Scores", kind: "Kind[Any, Any, Any]") -> list[str]:
    figures = scores.figures()
    compared = kind.telling(kind.compared, len(scores.classes))
    return [kind.write(name, figures[name]) if name in figures else "-" for name in compared]


def _published(result: "Published | PublishedBoxes | PublishedEnsemble", compared: Any) -> list[str]:
    """The published figures of the columns, a dash for one that is not given, and who published them."""
    percents = [result.percents.get(name) for name in compared]
    return [*("-" if percent is None else f"{percent:.2f}%" for percent in percents), result.where]


def _reported(published: "Published | PublishedBoxes | PublishedEnsemble") -> dict[str, Any]:
    percents = {name.removesuffix("_error"): value for name, value in published.percents.items()}
    rest = {key: value for key, value in vars(published).items() if key not in percents}
    return {**{f"{name}_percent": value for name, value in percents.items()}, **rest}
