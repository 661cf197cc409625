"""`resvision train` trains a model on a data set by a recipe."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Unpack

import typer

from resvision.cli import folds as cross_validation
from resvision.cli.shared_options import AllowCode, with_options
from resvision.cli.tables import print_lines
from resvision.core.errors import SettingsError
from resvision.recipes.flags import FLAGS, Flags, changes_of

if TYPE_CHECKING:
    from resvision.core.terminal import Terminal
    from resvision.extension import Scheduling
    from resvision.phases import Outcome
    from resvision.training_graph import Phase

FLAG_OPTIONS = {
    name: Annotated[
        declared.type,
        typer.Option(f"--{name.replace('_', '-')}", min=declared.flag.min, help=declared.flag.help),
    ]
    for name, declared in FLAGS.items()
}


@with_options(FLAG_OPTIONS, after="recipe")
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
    allow_code: AllowCode = False,
    **flags: Unpack[Flags],
) -> None:
    """Train a model on a data set or a folder of images.

    The result is a run directory.

    Example: resvision train resnet20 --data digits
    """
    _require_one_purpose(model, resume, out=out, schedule=schedule, folds=folds)
    # Flags beside --resume alone are those of the rest of the run: another length, patience or threads.
    later = flags if model is None and recipe is None else Flags()
    changes = changes_of({} if later else flags)
    if root is not None:
        changes["data.root"] = str(root.resolve())
    if weights is not None:
        changes["model.init_from"] = weights
    asked = _asked(model, data, recipe=recipe, changes=changes, settings=settings or ())

    from resvision.core.terminal import Terminal
    from resvision.phases import launch_phases
    from resvision.training.machine import rank_and_world

    console = Terminal(stderr=True)
    if folds is not None:
        return cross_validation.begin(asked, folds, out=out, console=console)
    if resume is None:
        outcome: Outcome | None = launch_phases(asked, out=out, console=console)
    else:
        outcome = _go_on(resume, asked, later, schedule, data=data, root=root, allow_code=allow_code, console=console)
    if outcome is not None and rank_and_world()[0] == 0:
        print_lines(f"{outcome.folder}: {outcome.summary}")


def _asked(
    model: str | None,
    data: str | None,
    *,
    recipe: str | None,
    changes: Mapping[str, object],
    settings: Sequence[str],
) -> "tuple[Phase, ...]":
    """The phases that are asked for; none beside --resume alone, which takes no settings."""
    from resvision.recipes import compose_phases

    if model is not None and data is not None:
        return compose_phases(model, data, recipe_name=recipe, changes=changes, settings=settings)
    if model is not None:
        raise SettingsError("which data? --data takes a name of `resvision data list` or a folder of images")
    if recipe is not None or settings or changes.keys() - {"data.root"}:
        raise SettingsError("settings beside --resume are compared with the run's; name its MODEL and --data as well")
    return ()


def _go_on(
    folder: Path,
    asked: "tuple[Phase, ...]",
    flags: Flags,
    schedule: "Scheduling | None",
    *,
    data: str | None,
    root: Path | None,
    allow_code: bool,
    console: "Terminal",
) -> "Outcome | None":
    """Go on with a run, several phases, or folds, which print their own end; only a run takes changes."""
    from resvision.phases import has_phases, resume_phases, resume_run
    from resvision.studies.cross_validation import has_folds

    changed = bool(asked or changes_of(flags) or schedule)
    if has_folds(folder):
        cross_validation.go_on(folder, data=data, root=root, changed=changed, allow_code=allow_code, console=console)
        return None
    if not has_phases(folder):
        return resume_run(
            folder, asked, data=data, root=root, allow_code=allow_code, schedule=schedule, flags=flags, console=console
        )
    if changed:
        raise SettingsError(f"{folder}: holds several phases, which keep their settings; go on by --resume alone")
    return resume_phases(folder, data=data, root=root, allow_code=allow_code, console=console)


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
