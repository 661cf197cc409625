"""`resvision train` trains a model on a data set by a recipe."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar, Unpack

import typer

from resvision.cli import folds as cross_validation
from resvision.cli.tables import print_lines
from resvision.core.errors import SettingsError
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
            annotation=Annotated[
                declared.type,
                typer.Option(f"--{name.replace('_', '-')}", min=declared.flag.min, help=declared.flag.help),
            ],
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
    model: Annotated[
        str | None, typer.Argument(help="Name a model of `resvision list`, or leave it out with --resume.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Train on a set of `resvision data list`, a folder, archive or table; with --resume, at its new place."
        ),
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Look for a named data set in this folder.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="Train by this recipe of `resvision recipes`, not by the model's own.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Start from these weights: torchvision or torchvision:NAME, a safetensors file, or a run directory."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the run into this directory, new or empty, not into a new one in runs/.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the run in this directory, to another length by --epochs.")
    ] = None,
    schedule: Annotated[
        Literal["anew", "as-it-ended"] | None,
        typer.Option(
            help="Lay the schedule anew over all --epochs of a resumed run, as is usual, or go on as it ended."
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, help="Cross-validate: train this number of runs, each tested on another part of the images."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change any setting of `resvision settings`. Repeatable."),
    ] = None,
    allow_code: Annotated[bool, typer.Option("--allow-code", help="Import your own code that the run names.")] = False,
    **flags: Unpack[Flags],
) -> None:
    """Train a model on a data set or a folder of images.

    The result is a run directory.

    Example: resvision train resnet20 --data digits
    """
    from resvision.core.terminal import Terminal
    from resvision.recipes import compose_phases

    _require_one_purpose(model, resume, out=out, schedule=schedule, folds=folds)
    changes = changes_of(flags)
    later = Flags()
    if model is None and recipe is None:  # of a run that goes on, flags are another length, patience or threads
        later, changes = flags, {}
    if root is not None:
        changes["data.root"] = str(root.resolve())
    if weights is not None:
        changes["model.init_from"] = weights
    has_settings = recipe is not None or settings or changes.keys() - {"data.root"}
    if model is None and has_settings:
        raise SettingsError("settings beside --resume are compared with the run's; name its MODEL and --data as well")
    if model is not None and data is None:
        raise SettingsError("which data? --data takes a name of `resvision data list` or a folder of images")

    from resvision.phases import has_phases, launch_phases, resume_phases, resume_run
    from resvision.studies.cross_validation import has_folds
    from resvision.training.machine import rank_and_world

    console = Terminal(stderr=True)
    asked: tuple[Phase, ...] = ()
    if model is not None and data is not None:
        asked = compose_phases(model, data, recipe_name=recipe, changes=changes, settings=settings or ())
    changed = bool(asked or changes_of(later) or schedule)
    if folds is not None:
        return cross_validation.begin(asked, folds, out=out, console=console)
    if resume is not None and has_folds(resume):
        return cross_validation.go_on(
            resume, data=data, root=root, changed=changed, allow_code=allow_code, console=console
        )
    if resume is None:
        outcome = launch_phases(asked, out=out, console=console)
    elif has_phases(resume):
        if changed:
            raise SettingsError(f"{resume}: holds several phases, which keep their settings; go on by --resume alone")
        outcome = resume_phases(resume, data=data, root=root, allow_code=allow_code, console=console)
    else:
        outcome = resume_run(
            resume,
            asked,
            data=data,
            root=root,
            allow_code=allow_code,
            schedule=schedule,
            flags=later,
            console=console,
        )
    if rank_and_world()[0] > 0:
        return
    print_lines(f"{outcome.folder}: {outcome.summary}")


def _require_one_purpose(
    model: str | None, resume: Path | None, *, out: Path | None, schedule: str | None, folds: int | None
) -> None:
    """Raise SettingsError where a run is neither begun nor gone on with, or both."""
    if resume is None and model is None:
        raise SettingsError("which model? name one of `resvision list`, or go on with a run by --resume DIR")
    if resume is not None and out is not None:
        raise SettingsError("--out and --resume exclude each other: a resumed run stays where it is")
    if resume is not None and folds is not None:
        raise SettingsError("--folds: a folder of folds knows their number; go on with it by --resume alone")
    if resume is None and schedule is not None:
        raise SettingsError("--schedule: goes with --resume RUN --epochs N; a new run takes --set schedule.kind=KIND")
