"""`resvision train`: a model on a data set, by a recipe."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from resvision.training_graph import Phase


def command(
    model: Annotated[str | None, typer.Argument(help="A name from `resvision list`; left out with --resume.")] = None,
    data: Annotated[str | None, typer.Option(help="A name from `resvision data list`, or a folder of images.")] = None,
    root: Annotated[Path | None, typer.Option(help="Where a named data set lies.")] = None,
    recipe: Annotated[str | None, typer.Option(help="A recipe; the model's own when left out.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the training images.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images of one step.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of weights, order and augmentation.")] = None,
    validation: Annotated[
        float | None, typer.Option(help="Share of the training images that judges the run; keeps its best weights.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Evaluations without a better one that end the run; with --validation.")
    ] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Published weights to start with: torchvision, or torchvision:NAME. Fetched once."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run directory, new or empty.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Run directory to go on with.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32 or bf16.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any other setting, may be repeated."),
    ] = None,
    allow_code: Annotated[bool, typer.Option("--allow-code", help="Import own code that the run names.")] = False,
) -> None:
    """Train a model on a data set or a folder of images; leaves a run directory.

    Example: resvision train resnet20 --data digits
    """
    from rich.console import Console

    from resvision.core.errors import SettingsError
    from resvision.recipes import compose_phases, usual_changes
    from resvision.weights.published import require_published

    changes = usual_changes(
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        seed=seed,
        validation=validation,
        patience=patience,
        device=device,
        precision=precision,
    )
    if root is not None:
        changes["data.root"] = str(root.resolve())
    if weights is not None:
        changes["model.init_from"] = require_published(weights)
    if resume is not None and out is not None:
        raise SettingsError("--out and --resume exclude each other: a resumed run stays where it is")
    if resume is None and model is None:
        raise SettingsError("which model? name one of `resvision list`, or go on with a run by --resume DIR")
    asked_something = data is not None or recipe is not None or settings or changes
    if model is None and asked_something:
        raise SettingsError("settings beside --resume are compared with the run's; name its MODEL and --data as well")
    if model is not None and data is None:
        raise SettingsError("which data? --data takes a name of `resvision data list` or a folder of images")

    from resvision.phases import has_phases, launch_phases, resume_phases, resume_run
    from resvision.training.machine import rank_and_world

    console = Console(stderr=True)
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
