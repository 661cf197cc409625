"""`resvision train` trains a model on a data set by a recipe."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar, Unpack

import typer

from resvision.recipes.flags import FLAGS, Flags, changes_of

if TYPE_CHECKING:
    from resvision.training_graph import Phase

Command = TypeVar("Command", bound=Callable[..., None])
_REST = inspect.Parameter.VAR_KEYWORD


def with_flags(command: Command) -> Command:
    """Give a command an option for each flag, after `recipe`, and return it.

    Typer reads a command's options off its signature, where `**flags` alone names no flag.
    """
    signature = inspect.signature(command)
    parameters = [parameter for parameter in signature.parameters.values() if parameter.kind is not _REST]
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[declared.type, typer.Option(min=declared.flag.min, help=declared.flag.help)],
        )
        for name, declared in FLAGS.items()
    ]
    position = [parameter.name for parameter in parameters].index("recipe") + 1
    extended = signature.replace(parameters=[*parameters[:position], *options, *parameters[position:]])
    command.__signature__ = extended  # type: ignore[attr-defined]
    return command


@with_flags
def command(
    *,
    model: Annotated[str | None, typer.Argument(help="A name from `resvision list`; left out with --resume.")] = None,
    data: Annotated[str | None, typer.Option(help="A name from `resvision data list`, or a folder of images.")] = None,
    root: Annotated[Path | None, typer.Option(help="Where a named data set lies.")] = None,
    recipe: Annotated[str | None, typer.Option(help="A recipe; the model's own when left out.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="To start with: torchvision or torchvision:NAME, fetched once, a safetensors file, or a run folder."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory, new or empty.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Run directory to go on with.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, may be repeated."),
    ] = None,
    allow_code: Annotated[bool, typer.Option("--allow-code", help="Import your own code that the run names.")] = False,
    **flags: Unpack[Flags],
) -> None:
    """Train a model on a data set or a folder of images; leaves a run directory.

    Example: resvision train resnet20 --data digits
    """
    from resvision.core.errors import SettingsError
    from resvision.core.terminal import Terminal
    from resvision.recipes import compose_phases

    changes = changes_of(flags)
    if root is not None:
        changes["data.root"] = str(root.resolve())
    if weights is not None:
        changes["model.init_from"] = weights
    if resume is not None and out is not None:
        raise SettingsError("--out and --resume exclude each other: a resumed run stays where it is")
    if resume is None and model is None:
        raise SettingsError("which model? name one of `resvision list`, or go on with a run by --resume DIR")
    has_settings = data is not None or recipe is not None or settings or changes
    if model is None and has_settings:
        raise SettingsError("settings beside --resume are compared with the run's; name its MODEL and --data as well")
    if model is not None and data is None:
        raise SettingsError("which data? --data takes a name of `resvision data list` or a folder of images")

    from resvision.phases import has_phases, launch_phases, resume_phases, resume_run
    from resvision.training.machine import rank_and_world

    console = Terminal(stderr=True)
    asked: tuple[Phase, ...] = ()
    if model is not None and data is not None:
        asked = compose_phases(model, data, recipe_name=recipe, changes=changes, settings=settings or ())
    if resume is None:
        outcome = launch_phases(asked, out=out, console=console)
    elif has_phases(resume):
        if asked:
            raise SettingsError(f"{resume}: holds several phases; go on with them by --resume alone")
        outcome = resume_phases(resume, allow_code=allow_code, console=console)
    else:
        outcome = resume_run(resume, asked, allow_code=allow_code, console=console)
    if rank_and_world()[0] > 0:
        return
    print(f"{outcome.folder}: {outcome.summary}")
