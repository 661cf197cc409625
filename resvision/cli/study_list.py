"""`resvision study list`: the studies, with question, paper, members and the expected time on this machine."""

import json

import typer

from resvision.cli.shared_options import AsJson
from resvision.cli.tables import Wide, new_table, print_lines, print_tables

NOT_MEASURED = "not measured"


def command(as_json: AsJson = False, wide: Wide = False) -> None:
    """List the studies: what each asks, of how many trainings, and how long it takes here."""
    from resvision.studies.study_list import listed, rate

    rows = listed()
    if as_json:
        typer.echo(json.dumps({"studies": [row.to_json(rate()) for row in rows]}, indent=2))
        return
    table = new_table("study", "question", "members", "data", "quick", "usual", "paper", least=("paper", "data"))
    for row in rows:
        members = f"{len(row.conditions)} x {row.seeds}"
        times = [_in_words(row.expected_minutes(rate(), quick=quick)) for quick in (True, False)]
        paper = row.paper.partition(", https")[0]
        table.add_row(row.name, row.question, members, row.data, *times, paper)
    print_tables(table, wide=wide)
    print_lines(
        "members: conditions x seeds, each a training; quick, usual: the time with --quick and without, expected on"
        " this machine, by what was measured on two cores and the rate of this machine in matrix products;"
        " `resvision study NAME --help` says more"
    )


def _in_words(minutes: float | None) -> str:
    if minutes is None:
        return NOT_MEASURED
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
