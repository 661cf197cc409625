"""`resvision data proposals`: regions of a set by selective search, in a file, and how many true boxes they cover."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import typer

from resvision.cli.tables import new_table, print_lines, print_tables
from resvision.core.errors import SettingsError, printable
from resvision.core.plurals import counted
from resvision.core.progress import Bar
from resvision.core.terminal import Terminal
from resvision.detection.proposal_writing import Written, write_proposals

SHOWN_NAMES = 5


class ProposalSearch(NamedTuple):
    """The search for regions that the options of the verb ask for; `most` regions of an image, None for all."""

    data: str
    out: Path
    root: Path | None
    split: str | None
    columns: Sequence[str]
    allow: Sequence[str]
    most: int | None


def show(search: ProposalSearch, *, force: bool, as_json: bool, wide: bool) -> None:
    """Write the file, and print what is in it.

    Raises SettingsError where it is there, unless `force` replaces it, and where its folder is not.
    """
    if (search.out.exists() or search.out.is_symlink()) and not force:
        raise SettingsError(f"{printable(search.out)}: is there already; name another file by --out, or say --force")
    if not search.out.parent.is_dir():  # which is said before minutes of a search
        raise SettingsError(f"{printable(search.out)}: its folder is not there; make it first")
    with Bar(Terminal(stderr=True), "searching") as bar:
        written = write_proposals(
            search.data,
            search.out,
            root=search.root,
            split=search.split,
            columns=search.columns,
            allow=search.allow,
            most=search.most,
            watch=lambda done, images: bar.reach(done, total=images),
        )
    if as_json:
        typer.echo(json.dumps({"file": str(search.out), **written.to_json()}, indent=2, ensure_ascii=False))
        return
    print_lines(*_lines(written), "")
    tables = []
    for form in written.recall.tables():
        table = new_table(*form.columns, numbers=form.numbers, title=form.title)
        for row in form.rows:
            table.add_row(*row)
        tables.append(table)
    print_tables(*tables, wide=wide)
    print_lines(str(search.out))


def _lines(written: Written) -> list[str]:
    """The numbers of images, regions and seconds; images without any region are named."""
    numbers = sorted(written.counts)
    middle = numbers[len(numbers) // 2]
    lines = [
        f"{written.name}: {counted(len(numbers), 'image')}, {sum(numbers):,} regions,"
        f" {numbers[0]:,} to {numbers[-1]:,} of an image, the median {middle:,}"
    ]
    if written.searched:
        lines.append(f"{written.seconds:.2f} s for the search of an image, {written.elapsed_s:,.0f} s for all")
    if kept := len(numbers) - written.searched:
        lines.append(f"the regions of {counted(kept, 'image')} were kept from before")
    if written.without:
        names = ", ".join(written.without[:SHOWN_NAMES]) + (", ..." if len(written.without) > SHOWN_NAMES else "")
        lines.append(f"note: {counted(len(written.without), 'image')} without any region: {names}")
    return lines
