"""`resvision report`: runs, or weights without a run, as one HTML page."""

from pathlib import Path
from typing import Annotated, Unpack

import typer

from resvision.cli.shared_options import AllowCode
from resvision.cli.weights import (
    ColumnsOption,
    WeightsOptions,
    columns_of,
    known_of,
    load_and_warn,
    require_run,
    with_classes_of,
    with_weights_options,
)


@with_weights_options(after="out")
def command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Write about these run directories; with --weights, about a model."),
    ],
    data: Annotated[
        str | None,
        typer.Option(
            help="Say where the runs' data lie now, if they have moved; with --weights, name labelled images."
        ),
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Look for a named data set in this folder.")] = None,
    columns: ColumnsOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write the page to this file, not to report.html in the run, or here for several runs."),
    ] = None,
    allow_code: AllowCode = False,
    **options: Unpack[WeightsOptions],
) -> None:
    """Write one self-contained page about runs.

    It has curves, results, the settings that differ, mistakes and throughput. Of weights without a run, it has their
    scores on --data and their mistakes, and is report.html here.
    """
    from resvision.core.errors import SettingsError
    from resvision.core.progress import Bar
    from resvision.core.rundir import REPORT
    from resvision.core.terminal import Terminal
    from resvision.report.page import write_report

    weights, known, stated = options["weights"], known_of(options), columns_of(columns)
    if weights is None and known.says_something:
        raise SettingsError("--normalize, --image-size, --classes and --option go with --weights; leave them out")
    if weights is not None:
        from resvision.report.weights import write_weights_report

        if len(runs) > 1:
            raise SettingsError("--weights: a page is about the weights of one model; name one")
        known = with_classes_of(known, str(runs[0]), weights, data, root=root, columns=stated)
        trained = load_and_warn(runs[0], weights, known, allow_code=allow_code)
        place = out or Path(REPORT)
        print(write_weights_report(trained, data or trained.data, place, root=root, columns=stated))
        return
    for run in runs:
        require_run(run)
    if out is None:
        out = runs[0] / REPORT if len(runs) == 1 else Path(REPORT)
    with Bar(Terminal(stderr=True), "writing", noun="") as bar:
        written = write_report(
            runs,
            out,
            data=data,
            root=root,
            columns=stated,
            allow_code=allow_code,
            watch=lambda done, total: bar.reach(done, total=total),
        )
    print(written)
