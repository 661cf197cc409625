"""`resvision study`: controlled experiments on claims about residual learning, and about detectors.

A study of the table has the command of its name; one of a user's own is called as `package.module:function`.
"""

from collections.abc import Callable
from typing import Any, Unpack

import typer

from resvision.cli import study_claims, study_compare, study_detection_line, study_grid, study_list
from resvision.cli.groups import HelpfulGroup
from resvision.cli.study_options import Depths, StudyOptions, wishes_of, with_study_options
from resvision.cli.study_results import conduct_and_show
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

    @with_study_options()
    def study(**options: Unpack[StudyOptions]) -> None:
        conduct_and_show(design_of(reference), wishes_of(options), options["out"], wide=options["wide"])

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
@with_study_options(after="depths")
def degradation(*, depths: Depths = "20,56", **options: Unpack[StudyOptions]) -> None:
    """Ask: does a deeper plain net train worse, and a deeper residual net better?

    Plain and residual nets of each depth are trained by one recipe: does depth hurt training, does a shortcut mend it?
    """
    from resvision.studies.degradation import degradation as design

    conduct_and_show(design(_depths(depths)), wishes_of(options), options["out"], wide=options["wide"])


for _name, _reference in STUDIES.items():
    if _name != "degradation":  # which has depths besides
        command.command(_name, short_help=_in_short(_reference))(_verb(_name, _reference))


command.command("claims", short_help="Show the claims of the notes, and what decides them.")(study_claims.command)
command.command("detection-line", short_help="Detectors old and new, and where their time goes.")(
    study_detection_line.command
)


def _depths(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(f"--depths {text}: write numbers with commas between, such as 20,56") from None
