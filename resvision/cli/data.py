"""`resvision data`: the data sets that can be named, a check of one or of a folder, and downloads."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resvision.cli.groups import HelpfulGroup
from resvision.cli.shared_options import AsJson
from resvision.cli.tables import Wide, new_table, print_lines, print_tables
from resvision.core import references
from resvision.core.errors import DataError, SettingsError
from resvision.core.plurals import counted
from resvision.data import sets
from resvision.data.fault_kinds import KINDS
from resvision.data.layouts import layouts

if TYPE_CHECKING:
    from resvision.data.check import Findings

command = typer.Typer(help="List, check and fetch data sets.", cls=HelpfulGroup, rich_markup_mode=None)

Allow = Annotated[
    str | None, typer.Option(help="Leave out what faults of these kinds concern, as outside-boxes,other-sizes.")
]
Root = Annotated[Path | None, typer.Option(help="Look for named data sets in this folder.")]

Columns = Annotated[
    str | None,
    typer.Option(help="Name the columns of a table, as path=file,label=breed; their contents tell if left out."),
]

SHOWN_DUPLICATES = 10


@command.command("list")
def list_sets(root: Root = None, as_json: AsJson = False, wide: Wide = False) -> None:
    """List the data sets and where they lie on this machine."""
    rows = [(data_set, data_set.where(root)) for data_set in sets.SETS]
    if as_json:
        documents = [
            {
                "name": data_set.name,
                "summary": data_set.summary,
                "task": data_set.task,
                "images": data_set.images,
                "classes": data_set.classes,
                "where": where,
                "fetchable": data_set.fetchable,
                "licence": data_set.licence,
                "source": data_set.source,
            }
            for data_set, where in rows
        ]
        typer.echo(json.dumps({"data_sets": documents}, indent=2))
        return
    columns = ("data set", "task", "what", "images", "classes", "where", "licence")
    least = ("licence", "what", "images", "classes", "task")
    table = new_table(*columns, numbers=("images", "classes"), least=least)
    for data_set, where in rows:
        table.add_row(
            data_set.name,
            data_set.task,
            data_set.summary,
            data_set.images,
            f"{data_set.classes:,}",
            where or "not found",
            data_set.licence,
        )
    print_tables(table, wide=wide)
    fetchable = ", ".join(data_set.name for data_set in sets.SETS if data_set.fetchable)
    print_lines(f"`resvision data fetch NAME` downloads {fetchable}; --root says where others lie.", "")
    print_lines("Any folder of images, zip or tar of one, or table of them can be named too:")
    print_lines(*(f"  for {task}: {layout.hint}" for task, layout in layouts()))


@command.command("check")
def check_set(
    name_or_folder: Annotated[
        str, typer.Argument(help="Check this data set, folder or archive of images, or table of them.")
    ],
    root: Root = None,
    columns: Columns = None,
    allow: Allow = None,
    frame_seconds: Annotated[
        float | None,
        typer.Option(min=1e-6, help="Take frames of recordings that do not say it to be this many seconds apart."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Decode even if nothing has changed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Decode every image, read its labels, and list every fault.

    The exit code is 1 if there are any.
    """
    from resvision.core.progress import Bar
    from resvision.core.terminal import Terminal
    from resvision.data.check import check

    with Bar(Terminal(stderr=True), "checking") as bar:
        findings = check(
            name_or_folder,
            root=root,
            columns=columns.split(",") if columns else (),
            allow=allow.split(",") if allow else (),
            frame_seconds=frame_seconds,
            again=again,
            watch=lambda done, images: bar.reach(done, total=images),
        )
    if as_json:
        typer.echo(json.dumps(findings.to_json(), indent=2, ensure_ascii=False))
    else:
        _print(findings)
    if findings.faults:
        raise typer.Exit(1)


@command.command("convert")
def convert_set(
    name_or_folder: Annotated[
        str, typer.Argument(metavar="FROM", help="Read this data set, or folder or archive of images with boxes.")
    ],
    folder: Annotated[Path, typer.Argument(help="Write into this folder, which must not be there yet.")],
    to: Annotated[str, typer.Option(help="Write boxes in this form: voc, coco or yolo.")],
    root: Root = None,
    allow: Allow = None,
) -> None:
    """Write images with boxes anew in another form.

    Images are copied as they are, and splits are kept. What the form has no place for is counted at the end.
    """
    from resvision.core.progress import Bar
    from resvision.core.terminal import Terminal
    from resvision.data.box_conversion import convert

    with Bar(Terminal(stderr=True), "writing") as bar:
        outcome = convert(
            name_or_folder,
            folder,
            to,
            root=root,
            allow=allow.split(",") if allow else (),
            watch=lambda done, images: bar.reach(done, total=images),
        )
    print_lines(*outcome.lines())


@command.command("anchors")
def find_anchors(
    name_or_folder: Annotated[str, typer.Argument(help="Take the boxes of this data set, or folder or archive.")],
    count: Annotated[int, typer.Option(min=1, max=100, help="Look for this number of anchors.")] = 9,
    size: Annotated[
        int | None, typer.Option(min=1, help="Take images fitted into squares of this side, in pixels.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draw the first clusters by this number.")] = 0,
    root: Root = None,
    allow: Allow = None,
    as_json: AsJson = False,
    wide: Wide = False,
) -> None:
    """Look for shapes of anchors that suit the boxes of a set.

    They are found by k-means, for YOLOv2 and YOLOv3.
    """
    from resvision.cli.data_anchors import AnchorSearch, show

    kinds = allow.split(",") if allow else ()
    show(AnchorSearch(name_or_folder, root, kinds, count, size, seed), as_json=as_json, wide=wide)


@command.command("proposals")
def propose(
    name_or_folder: Annotated[
        str, typer.Argument(metavar="DATA", help="Search the images of this data set, or folder or table with boxes.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Write this file, safetensors with a tensor an image.")],
    most: Annotated[
        int | None, typer.Option(min=1, help="Take at most this number of regions of an image, all if left out.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Search this split alone, such as train.")] = None,
    root: Root = None,
    columns: Columns = None,
    allow: Allow = None,
    force: Annotated[bool, typer.Option("--force", help="Write over the file if it is there.")] = False,
    as_json: AsJson = False,
    wide: Wide = False,
) -> None:
    """Search images for regions, and write them into a file.

    The file is for --proposals of other verbs. Selective search finds the regions, and it is shown how many of the
    true boxes they cover. Other programs may write such files too: a tensor (P, 4) by the name of each image,
    x1 y1 x2 y2 in pixels of the upright image, the best regions first.
    """
    from resvision.cli.data_proposals import ProposalSearch, show

    kinds, named = allow.split(",") if allow else (), columns.split(",") if columns else ()
    search = ProposalSearch(name_or_folder, out, root, split, named, kinds, most)
    show(search, force=force, as_json=as_json, wide=wide)


@command.command("fetch")
def fetch_set(
    name: Annotated[str, typer.Argument(help="Name a data set of `resvision data list`.")],
    root: Annotated[Path | None, typer.Option(help="Download into this folder, not into the data folder.")] = None,
) -> None:
    """Download a data set through torchvision, which checks its sums."""
    row = sets.row(name)
    if not row.fetchable:
        fetchable = ", ".join(data_set.name for data_set in sets.SETS if data_set.fetchable)
        raise SettingsError(f"{name} cannot be downloaded; those that can: {fetchable}")
    try:
        folder = references.load(row.fetcher, noun="data set")(root)
    except (OSError, RuntimeError) as error:  # no network, a full disk, a sum that differs
        raise DataError(f"{name}: the download failed ({error}); source: {row.source}") from None
    typer.echo(f"{name} is in {folder}")


def _print(findings: "Findings") -> None:
    """Print a line for each fault, each duplicate and each note, then one of counts."""
    for fault in findings.faults:
        typer.echo(str(fault))
    for kind, count in sorted(Counter(fault.kind for fault in findings.faults if fault.kind).items()):
        typer.echo(f"{counted(count, 'fault')} of {kind}: with --allow {kind}, {KINDS[kind]}")
    for pair in findings.duplicates[:SHOWN_DUPLICATES]:
        typer.echo(str(pair))
    if len(findings.duplicates) > SHOWN_DUPLICATES:
        typer.echo(f"... and {len(findings.duplicates) - SHOWN_DUPLICATES:,} more such pairs (--json lists all)")
    for note in findings.notes:
        typer.echo(f"note: {note}")
    if findings.again:
        typer.echo("as found when these files were last decoded; --again decodes them anew")
    typer.echo(
        f"{findings.name}: {counted(findings.images, findings.sample_noun)}, {findings.fine:,} fine, "
        f"{counted(len(findings.faults), 'fault')}, {len(findings.duplicates):,} in both splits"
    )
