"""`resvision study`: controlled experiments on claims about residual learning."""

from pathlib import Path
from typing import Annotated

import typer

from resvision.cli.groups import HelpfulGroup
from resvision.cli.tables import Wide, new_table, print_lines, print_tables
from resvision.core.errors import SettingsError

command = typer.Typer(
    cls=HelpfulGroup, help="Run a controlled experiment. Stopped and started again, it goes on.", rich_markup_mode=None
)


@command.callback()
def _studies() -> None:
    """Keep typer from making the only study the command itself."""


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


def _depths(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(f"--depths {text}: write numbers with commas between, such as 20,56") from None
