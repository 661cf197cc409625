"""`resvision study compare`: finished runs that differ in named settings, on the page of a study."""

from pathlib import Path

from resvision.cli.shared_options import AllowCode
from resvision.cli.study_options import PageOut, Runs
from resvision.cli.study_results import show
from resvision.cli.tables import Wide


def command(
    runs: Runs,
    out: PageOut = None,
    allow_code: AllowCode = False,
    wide: Wide = False,
) -> None:
    """Compare finished runs: a table, verdicts from pairs of equal seeds, and a page.

    Runs that differ in nothing but the seed are one condition. Each condition is held against that of the first run.
    """
    from resvision.core import rundir
    from resvision.studies.comparison import NAME, compare, seen_from
    from resvision.studies.results import RESULTS, read_results, write_results

    design, results = compare(runs, allow_code=allow_code)
    if out is None:
        folder = rundir.create(f"{NAME}-{Path(results.data).name}")
    elif (out / RESULTS).is_file() and read_results(out / RESULTS).study == NAME:
        folder = out  # of a comparison, which can be made again at any time
    else:
        folder = rundir.claim(out)
    results = seen_from(results, folder)
    write_results(results, folder / RESULTS)
    show(design, results, folder, wide=wide)
