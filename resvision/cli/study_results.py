"""A study on the terminal: it is carried out, and its table, verdicts and page are shown."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from resvision.cli.tables import new_table, print_lines, print_tables
from resvision.core.errors import SettingsError

if TYPE_CHECKING:
    from resvision.studies.design import Design
    from resvision.studies.results import Results


class Wishes(NamedTuple):
    """The options of a study as they were given; None leaves one to the design."""

    data: str | None = None
    seeds: int | None = None
    epochs: int | None = None
    recipe: str | None = None
    quick: bool = False
    settings: Sequence[str] = ()
    jobs: int = 1
    train_images: int | None = None


def conduct_and_show(design: "Design", wishes: Wishes, out: Path | None, *, wide: bool) -> None:
    """Carry out a study, write its page, and print its table and the verdicts."""
    from resvision.core.terminal import Terminal
    from resvision.studies.experiment import Asked, conduct

    if wishes.data is not None and any(condition.data for condition in design.conditions):
        raise SettingsError(
            f"--data {wishes.data}: the conditions of {design.name} have data of their own; leave it out, or write a"
            " study of your own (docs/studies.md)"
        )
    asked = Asked(wishes.data or design.data, *wishes[1:])
    folder = out or Path("runs") / f"{design.name}-{Path(asked.data).name}{'-quick' if asked.quick else ''}"
    show(design, conduct(design, folder, asked, Terminal(stderr=True)), folder, wide=wide)


def show(design: "Design", results: "Results", folder: Path, *, wide: bool) -> None:
    """Write the page of results into their folder, and print their tables and verdicts."""
    from resvision.core import rundir
    from resvision.studies import experiment_page as page

    written = page.write_study(design, results, folder / rundir.REPORT, folder)
    tables = []
    for part in results.by_task():
        headings = page.header(design, part)
        table = new_table(*headings, numbers=headings[1:], least=page.LEAST)
        for row in page.table(design, part):
            table.add_row(*row)
        tables.append(table)
    claims = new_table("claim", "verdict", "difference", numbers=("difference",))
    for verdict in page.verdict_rows(results.verdicts(design), shares=page.are_shares(design, results)):
        claims.add_row(*verdict)
    print_tables(*tables, claims, wide=wide)
    print_lines(page.what_to_see(design, results), *page.notes(design, results), "", f"page: {written}")
