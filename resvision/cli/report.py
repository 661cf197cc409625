"""`resvision report`: runs as one HTML page."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories.")],
    data: Annotated[
        str | None, typer.Option(help="Where the runs' data lie now, if they have moved; for the pictures.")
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Where a named data set lies.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="File of the page; report.html in the run, or here for several runs.")
    ] = None,
    allow_code: Annotated[bool, typer.Option("--allow-code", help="Import your own code that the runs name.")] = False,
) -> None:
    """Write one self-contained page about runs: curves, results, differing settings, mistakes, throughput."""
    from resvision.core.rundir import REPORT
    from resvision.report.page import write_report

    if out is None:
        out = runs[0] / REPORT if len(runs) == 1 else Path(REPORT)
    print(write_report(runs, out, data=data, root=root, allow_code=allow_code))
