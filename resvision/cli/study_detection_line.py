"""`resvision study detection-line`: detectors old and new on one set of images, and where their time goes."""

from pathlib import Path

from resvision.cli.study_options import (
    BoxData,
    Detectors,
    Epochs,
    FinishedRuns,
    Jobs,
    OneEpoch,
    Out,
    Settings,
    TimedImages,
    Times,
)
from resvision.cli.tables import Wide, new_table, print_lines, print_tables
from resvision.core.errors import SettingsError


def command(
    data: BoxData = "digit-boxes-composed",
    systems: Detectors = None,
    seeds: Times = 1,
    epochs: Epochs = None,
    quick: OneEpoch = False,
    runs: FinishedRuns = None,
    images: TimedImages = 12,
    out: Out = None,
    settings: Settings = None,
    jobs: Jobs = 1,
    wide: Wide = False,
) -> None:
    """Compare detectors, old and new: where does the time go?

    From R-CNN to RefineDet, each is trained on the same images: AP, time of training, and time of an image by stage.
    """
    from resvision.core import rundir
    from resvision.core.terminal import Terminal
    from resvision.studies import detection_line as line
    from resvision.studies import detection_line_page as page

    console = Terminal(stderr=True)
    folder = out or Path("runs") / f"detection-line-{Path(data).name}"
    if runs:
        _require_alone(systems=systems, epochs=epochs, quick=quick or None, set=settings or None)
        study = line.study_runs(runs, images, console)
        folder = out or Path("runs") / f"detection-line-{study.data}"
        folder.mkdir(parents=True, exist_ok=True)
    else:
        names = line.LINE if systems is None else tuple(systems.split(","))
        trials = line.plan(data, names, seeds, epochs=epochs, quick=quick, settings=settings or ())
        study = line.study_detection_line(folder, trials, images, console, jobs=jobs)
    written = page.write_line(study, folder / rundir.REPORT)
    results = new_table(*page.header(study), numbers=page.header(study)[1:], least=page.LEAST)
    stages = new_table(*page.stage_header(study), numbers=page.stage_header(study)[1:], title="milliseconds an image")
    claims = new_table("claim", "verdict", "difference", numbers=("difference",))
    for row in page.table(study):
        results.add_row(*row)
    for row in page.stage_table(study):
        stages.add_row(*row)
    for verdict in page.verdict_rows(study.verdicts):
        claims.add_row(*verdict)
    print_tables(results, stages, claims, wide=wide)
    print_lines(*page.what_to_see(study), "", f"page: {written}")


def _require_alone(**others: object) -> None:
    """Raise SettingsError for settings of trainings beside finished ones."""
    given = [f"--{name}" for name, value in others.items() if value is not None]
    if given:
        raise SettingsError(f"--runs: names trainings that are finished; leave out {', '.join(given)}")
