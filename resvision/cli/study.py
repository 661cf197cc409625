"""`resvision study`: controlled experiments on claims about residual learning, and about detectors.

A study of the table has the command of its name; one of a user's own is called as `package.module:function`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from resvision.cli import study_claims, study_compare, study_grid, study_list
from resvision.cli.groups import HelpfulGroup
from resvision.cli.study_options import Data, Epochs, Jobs, Out, Quick, Recipe, Seeds, Settings, TrainImages
from resvision.cli.study_results import Wishes, conduct_and_show
from resvision.cli.tables import Wide, new_table, print_lines, print_tables
from resvision.core.errors import SettingsError
from resvision.core.references import is_reference
from resvision.studies.table import STUDIES, design_of


class StudyGroup(HelpfulGroup):
    """The group of studies, which takes a study of a user's own by its reference."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Find the command of a study; that of a reference is the command of every design."""
        if not is_reference(cmd_name):
            return super().get_command(ctx, cmd_name)
        own = typer.Typer(rich_markup_mode=None)
        own.command(cmd_name)(_verb(cmd_name, cmd_name))
        return typer.main.get_command(own)


command = typer.Typer(
    cls=StudyGroup, help="Run a controlled experiment. Stopped and started again, it goes on.", rich_markup_mode=None
)
command.command("list", short_help="List the studies, with the time that each takes here.")(study_list.command)
command.command("compare", short_help="Compare finished runs by pairs of equal seeds.")(study_compare.command)
command.command("grid", short_help="Train a net under settings that vary.")(study_grid.command)


def _verb(name: str, reference: str) -> Callable[..., None]:
    """The verb of a study whose design is named as text; it is imported once the verb runs."""

    def study(
        data: Data = None,
        seeds: Seeds = None,
        epochs: Epochs = None,
        recipe: Recipe = None,
        quick: Quick = False,
        train_images: TrainImages = None,
        out: Out = None,
        settings: Settings = None,
        jobs: Jobs = 1,
        wide: Wide = False,
    ) -> None:
        wishes = Wishes(data, seeds, epochs, recipe, quick, settings or (), jobs, train_images)
        conduct_and_show(design_of(reference), wishes, out, wide=wide)

    study.__doc__ = _help(name, reference)
    return study


def _help(name: str, reference: str) -> str:
    """The help of a study: its question, and where the claim comes from."""
    if reference == name:  # of a user's own, which is not imported to be asked
        return "Carry out a study of your own."
    design = design_of(reference)
    question = f"{design.question[0].lower()}{design.question[1:]}"
    return f"Ask: {question}\n\n{design.paper}. Usually on {design.data}."


def _in_short(reference: str) -> str:
    """The title of a study without its first word, which is much like its name."""
    first, colon, rest = design_of(reference).title.partition(": ")
    return f"{rest[0].upper()}{rest[1:]}." if colon else f"{first}."


@command.command("degradation", short_help="Plain against residual nets.")
def degradation(
    data: Data = None,
    depths: Annotated[str, typer.Option(help="Compare these depths of the form 6n+2, with commas between.")] = "20,56",
    seeds: Seeds = None,
    epochs: Epochs = None,
    recipe: Recipe = None,
    quick: Quick = False,
    train_images: TrainImages = None,
    out: Out = None,
    settings: Settings = None,
    jobs: Jobs = 1,
    wide: Wide = False,
) -> None:
    """Ask: does a deeper plain net train worse, and a deeper residual net better?

    Plain and residual nets of each depth are trained by one recipe: does depth hurt training, does a shortcut mend it?
    """
    from resvision.studies.degradation import degradation as design

    wishes = Wishes(data, seeds, epochs, recipe, quick, settings or (), jobs, train_images)
    conduct_and_show(design(_depths(depths)), wishes, out, wide=wide)


for _name, _reference in STUDIES.items():
    if _name != "degradation":  # which has depths besides
        command.command(_name, short_help=_in_short(_reference))(_verb(_name, _reference))


command.command("claims", short_help="Show the claims of the notes, and what decides them.")(study_claims.command)


@command.command("detection-line", short_help="Detectors old and new, and where their time goes.")
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


def _depths(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(f"--depths {text}: write numbers with commas between, such as 20,56") from None
