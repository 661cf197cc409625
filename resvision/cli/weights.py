"""Options of the verbs that use weights without a run: the weights, what is known of a file of them, the images."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict, get_type_hints

import typer

from resvision.catalog import ROWS
from resvision.cli.engines import EngineOptions
from resvision.cli.inspect import parse_option
from resvision.cli.shared_options import FINDS, FindOptions, with_options
from resvision.core import rundir
from resvision.core.errors import RunError, SettingsError, nearest, printable
from resvision.runtime.shipped import SHIPPED

if TYPE_CHECKING:
    from resvision.inference.load import Trained
    from resvision.inference.weights_file import Known


class KnownOptions(TypedDict):
    """The options by which a person says what is known of the weights in a file."""

    normalize: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--normalize",
            metavar="MEAN STD",
            help="Normalize pixels of 0..1 by these: each a number, or one for each channel, as 0.5,0.5,0.5.",
        ),
    ]
    image_size: Annotated[
        str | None,
        typer.Option(
            "--image-size",
            metavar="PX",
            help="Show the net squares of this side; 256,224 resizes to 256 first. For label maps it is the shorter"
            " side.",
        ),
    ]
    classes: Annotated[
        Path | None,
        typer.Option(
            "--classes", help="Read the names of the classes, in their order, from this text file, a name a line."
        ),
    ]
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="KEY=VALUE", help="Give the net this option, such as width=32. Repeatable."),
    ]


class WeightsOptions(KnownOptions):
    """Weights in the place of a run, and what is known of them."""

    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            help="Use these weights of a model: torchvision or torchvision:NAME, fetched once, or a safetensors file.",
        ),
    ]


_KNOWN = get_type_hints(KnownOptions, include_extras=True)
with_known_options = partial(with_options, _KNOWN)
with_weights_options = partial(
    with_options, {"weights": get_type_hints(WeightsOptions, include_extras=True)["weights"], **_KNOWN}
)


class UseOptions(FindOptions, EngineOptions, WeightsOptions):
    """The options of the verbs that use a run or weights for predictions."""


with_use_options = partial(
    with_options,
    {
        "weights": get_type_hints(WeightsOptions, include_extras=True)["weights"],
        **_KNOWN,
        **FINDS,
        **get_type_hints(EngineOptions, include_extras=True),
    },
)

ColumnsOption = Annotated[
    str | None,
    typer.Option(
        "--columns", help="Say which columns the table of images that --data names has, as path=file,label=breed."
    ),
]


def columns_of(text: str | None) -> list[str] | None:
    """Split the stated columns of a table; None where nothing is stated."""
    return None if text is None else text.split(",")


def known_of(options: KnownOptions) -> "Known":
    """Read the options about weights in a file; SettingsError for values of another form."""
    from resvision.inference.weights_file import Known, read_classes

    normalize, image_size, classes = options["normalize"], options["image_size"], options["classes"]
    return Known(
        normalize=None if normalize is None else (_numbers(normalize[0]), _numbers(normalize[1])),
        image_size=() if image_size is None else pixels_of("--image-size", image_size, most=2),
        classes=None if classes is None else read_classes(classes),
        options=dict(parse_option(text) for text in options["option"] or []),
    )


def with_classes_of(
    known: "Known", model: str, weights: str, data: str | None, *, root: Path | None, columns: list[str] | None
) -> "Known":
    """Add the classes of the data to what is known of weights to be scored, where nobody else names classes.

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
    reader = open_data(data or str(trained_on), catalog.find(model).task, root=root, columns=columns or ())
    return known if published else replace(known, classes_of_data=reader.classes)


def require_run(run: Path) -> None:
    """Raise RunError where there is no run directory, and SettingsError where a model is named without weights."""
    if not run.exists() and str(run) in {row.name for row in ROWS}:
        raise SettingsError(
            f"{run}: is a model, not a run; say its weights, as --weights torchvision or --weights FILE"
        )
    if not run.exists() and (near := nearest(str(run), SHIPPED)):
        raise RunError(f"{run}: no such run directory; nearest bundle: {', '.join(near)}")
    rundir.require(run)


def load_and_warn(run: Path, weights: str | None, known: "Known", *, allow_code: bool = False) -> "Trained":
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


def pixels_of(option: str, text: str, *, most: int | None = None) -> tuple[int, ...]:
    """The sides in an option such as `256,224`, `most` of them at most; SettingsError for anything else."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > (most or len(parts)) or not all(
        part.isascii() and part.isdigit() and 0 < len(part) < 6 for part in parts
    ):
        form = "as 224,256" if most is None else "as 224, or two sides, as 256,224"
        raise SettingsError(f"{option} {printable(text)}: give pixels, {form}")
    return tuple(int(part) for part in parts)
