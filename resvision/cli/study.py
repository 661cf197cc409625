"""`resvision study`: controlled experiments on claims about residual learning, and about detectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resvision.cli.groups import HelpfulGroup
from resvision.cli.tables import Wide, new_table, print_lines, print_tables
from resvision.core.errors import SettingsError

if TYPE_CHECKING:
    from resvision.studies.conditions import Design

command = typer.Typer(
    cls=HelpfulGroup, help="Run a controlled experiment. Stopped and started again, it goes on.", rich_markup_mode=None
)


ConditionData = Annotated[
    str | None,
    typer.Option("--data", help="Train on this data set or these files of tracks; traffic-simulated if left out."),
]
ConditionSeeds = Annotated[
    int,
    typer.Option("--seeds", min=1, help="Train under each condition so often, with seeds 0, 1 and so on."),
]
ConditionEpochs = Annotated[
    int | None, typer.Option("--epochs", min=1, help="Train for so many epochs, and not as long as is usual here.")
]
Quick = Annotated[
    bool, typer.Option("--quick", help="Train narrow nets for one epoch on small images: a page, but no result.")
]
ConditionOut = Annotated[
    Path | None, typer.Option("--out", help="Write the study into this folder, not into one in runs/.")
]
ConditionSettings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change this setting of all runs. Repeatable.")
]


@command.command("degradation")
def degradation(
    data: Annotated[str, typer.Option(help="Train on this data set, or folder of images.")] = "digits",
    depths: Annotated[str, typer.Option(help="Compare these depths of the form 6n+2, with commas between.")] = "20,56",
    seeds: Annotated[
        int, typer.Option(min=1, help="Train every net this number of times, with seeds 0, 1 and so on.")
    ] = 3,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Train each net for so many epochs, and not as long as the recipe says.")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="Train all by this recipe, not by the nets' own.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the study into this folder, not into one in runs/.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change this setting of all runs. Repeatable."),
    ] = None,
    wide: Wide = False,
) -> None:
    """Compare plain and residual nets at each depth.

    All are trained by one recipe: does depth hurt training, does a shortcut mend it?
    """
    numbers = _depths(depths)

    from resvision.core import rundir
    from resvision.core.terminal import Terminal
    from resvision.studies import page
    from resvision.studies.degradation import plan, study_degradation, what_to_see

    length = [] if epochs is None else [f"training.duration={epochs} epochs"]
    trials = plan(data, numbers, seeds, recipe=recipe, settings=[*length, *(settings or ())])
    folder = out or Path("runs") / f"degradation-{Path(data).name}"
    study = study_degradation(folder, trials, Terminal(stderr=True))
    written = page.write_study(study, folder / rundir.REPORT)
    results = new_table(*page.header(study), numbers=page.header(study)[1:], least=("time a run", "seeds"))
    claims = new_table("claim", "verdict", "difference", numbers=("difference",))
    for row in page.table(study):
        results.add_row(*row)
    for verdict in page.verdict_rows(study.verdicts):
        claims.add_row(*verdict)
    print_tables(results, claims, wide=wide)
    print_lines(what_to_see(study), "", f"page: {written}")


@command.command("detection-line")
def detection_line(
    data: Annotated[
        str, typer.Option(help="Train on this data set, or folder of images with boxes.")
    ] = "digit-boxes-composed",
    systems: Annotated[
        str | None, typer.Option(help="Compare these detectors, with commas between, not the whole line.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Train every detector this number of times, with seeds 0, 1 and so on.")
    ] = 1,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Train each for so many epochs, and not as long as is usual here.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Train narrow nets for one epoch on small images: a page, but no result.")
    ] = False,
    runs: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="Take this finished training, and train nothing. Repeatable."),
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="Look at this number of test images for the times.")] = 12,
    out: Annotated[Path | None, typer.Option(help="Write the study into this folder, not into one in runs/.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change this setting of all trainings. Repeatable."),
    ] = None,
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
        study = line.study_detection_line(folder, trials, images, console)
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


@command.command("history")
def history(
    data: ConditionData = None,
    seeds: ConditionSeeds = 3,
    epochs: ConditionEpochs = None,
    quick: Quick = False,
    out: ConditionOut = None,
    settings: ConditionSettings = None,
    wide: Wide = False,
) -> None:
    """Compare forecasts with and without the past.

    Nets see it drawn, are told the state of the vehicle, both or neither: what does the past bring?
    """
    from resvision.studies.history import DATA, DESIGN

    _study_conditions("history", DESIGN, data or DATA, seeds, epochs, quick, out, settings or (), wide=wide)


@command.command("shortcut-motion")
def shortcut_motion(
    data: ConditionData = None,
    seeds: ConditionSeeds = 3,
    epochs: ConditionEpochs = None,
    quick: Quick = False,
    out: ConditionOut = None,
    settings: ConditionSettings = None,
    wide: Wide = False,
) -> None:
    """Compare plain and residual nets that forecast vehicles.

    Each sees the past or not: do shortcuts help, and do they keep the past?
    """
    from resvision.studies.shortcut_motion import DATA, DESIGN

    _study_conditions("shortcut-motion", DESIGN, data or DATA, seeds, epochs, quick, out, settings or (), wide=wide)


def _study_conditions(
    name: str,
    design: "Design",
    data: str,
    seeds: int,
    epochs: int | None,
    quick: bool,
    out: Path | None,
    settings: Sequence[str],
    *,
    wide: bool,
) -> None:
    """Carry out a study of conditions, write its page, and print its table and the verdicts."""
    from resvision.core import rundir
    from resvision.core.terminal import Terminal
    from resvision.studies import conditions_page as page
    from resvision.studies.conditions import plan, study_conditions
    from resvision.studies.page import verdict_rows

    folder = out or Path("runs") / f"{name}-{Path(data).name}"
    trials = plan(design, data, seeds, epochs=epochs, quick=quick, settings=settings)
    study = study_conditions(design, folder, trials, Terminal(stderr=True))
    written = page.write_conditions(study, folder / rundir.REPORT)
    results = new_table(*page.header(study), numbers=page.header(study)[1:], least=page.LEAST)
    claims = new_table("claim", "verdict", "difference", numbers=("difference",))
    for row in page.table(study):
        results.add_row(*row)
    for verdict in verdict_rows(study.verdicts):
        claims.add_row(*verdict)
    print_tables(results, claims, wide=wide)
    print_lines(page.what_to_see(study), "", f"page: {written}")


def _require_alone(**others: object) -> None:
    """Raise SettingsError for settings of trainings beside finished ones."""
    given = [f"--{name}" for name, value in others.items() if value is not None]
    if given:
        raise SettingsError(f"--runs: names trainings that are finished; leave out {', '.join(given)}")


def _depths(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(f"--depths {text}: write numbers with commas between, such as 20,56") from None
