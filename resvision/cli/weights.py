"""Options of the verbs that use weights without a run: the weights, and what is known of a file of them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from resvision.catalog import ROWS
from resvision.cli.inspect import parse_option
from resvision.core import rundir
from resvision.core.errors import SettingsError, printable

if TYPE_CHECKING:
    from resvision.inference.load import Trained
    from resvision.inference.weights_file import Known

_PANEL = "Weights without a run"

WeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="Use a model with these weights: torchvision or torchvision:NAME, fetched once, or a safetensors file.",
        rich_help_panel=_PANEL,
    ),
]
NormalizeOption = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--normalize",
        metavar="MEAN STD",
        help="Normalize pixels of 0..1 by these: each a number, or one for each channel, as 0.5,0.5,0.5.",
        rich_help_panel=_PANEL,
    ),
]
ImageSizeOption = Annotated[
    str | None,
    typer.Option(
        "--image-size",
        metavar="PX",
        help="Show the net squares of this side; 256,224 resizes to 256 first. For label maps it is the shorter side.",
        rich_help_panel=_PANEL,
    ),
]
ClassesOption = Annotated[
    Path | None,
    typer.Option(
        "--classes",
        help="Read the names of the classes, in their order, from this text file, a name a line.",
        rich_help_panel=_PANEL,
    ),
]
NetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="KEY=VALUE",
        help="Give the net this option, such as width=32. Repeatable.",
        rich_help_panel=_PANEL,
    ),
]


def known_of(
    normalize: tuple[str, str] | None, image_size: str | None, classes: Path | None, options: list[str] | None
) -> "Known":
    """What the options say of the weights in a file; SettingsError for values of another form."""
    from resvision.inference.weights_file import Known, read_classes

    return Known(
        normalize=None if normalize is None else (_numbers(normalize[0]), _numbers(normalize[1])),
        image_size=() if image_size is None else _sides(image_size),
        classes=None if classes is None else read_classes(classes),
        options=dict(parse_option(text) for text in options or []),
    )


def with_classes_of(known: "Known", model: str, weights: str, data: str | None, *, root: Path | None) -> "Known":
    """What is known of weights that are to be scored, with the classes of the data where nobody else names them.

    Raises WeightsError and DataError for published weights that there are not and data that cannot be opened, and
    SettingsError where neither the command nor the weights name any data.
    """
    from dataclasses import replace

    from resvision import catalog
    from resvision.inference.evaluate import open_data
    from resvision.initial_weights import find_published
    from resvision.weights.published import is_published

    published = find_published(model, {}, weights) if is_published(weights) else None
    trained_on = None if published is None else published.data
    if data is None and trained_on is None:
        raise SettingsError(f"{printable(weights)}: does not say what it was trained on; name the images by --data")
    reader = open_data(data or str(trained_on), catalog.find(model).task, root=root)
    return known if published else replace(known, classes_of_data=reader.classes)


def require_run(run: Path) -> None:
    """Raise RunError where there is no run directory, and SettingsError where a model is named without weights."""
    if not run.exists() and str(run) in {row.name for row in ROWS}:
        raise SettingsError(
            f"{run}: is a model, not a run; say its weights, as --weights torchvision or --weights FILE"
        )
    rundir.require(run)


def load_said(run: Path, *, weights: str | None, known: "Known", allow_code: bool = False) -> "Trained":
    """Load a run or weights, and say on standard error what is doubtful of them."""
    from resvision.inference.load import load_quietly

    if weights is None:
        require_run(run)
    trained = load_quietly(run, weights=weights, known=known, allow_code=allow_code)
    if trained.doubt:
        print(f"resvision: {trained.doubt}", file=sys.stderr)
    return trained


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        form = "MEAN STD, each a number or one a channel with commas between, as 0.485,0.456,0.406 0.229,0.224,0.225"
        raise SettingsError(f"--normalize {printable(text)}: write it as {form}") from None


def _sides(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 2 or not all(part.isascii() and part.isdigit() and 0 < len(part) < 6 for part in parts):
        raise SettingsError(f"--image-size {printable(text)}: give pixels, as 224, or two sides, as 256,224")
    return tuple(int(part) for part in parts)
