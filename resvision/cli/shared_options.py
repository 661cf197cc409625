"""Options that several verbs take, each declared once."""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypedDict, TypeVar, get_type_hints

import typer

from resvision.kinds.prediction_options import PredictionOptions

Command = TypeVar("Command", bound=Callable[..., None])

AllowCode = Annotated[bool, typer.Option("--allow-code", help="Import your own code that a run names.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
Grey = Annotated[bool, typer.Option("--grey/--no-grey", help="Turn colour into grey for a net that takes grey.")]


Proposals = Annotated[
    str | None,
    typer.Option(
        "--proposals",
        metavar="FILE",
        help="Look at the regions in this file, of `resvision data proposals`; they are searched for if left out.",
    ),
]

Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="NAME",
        help="Take this sample of files that hold several, such as 'scenario:vehicle@frame'; * and ? stand for any"
        " characters. Repeatable.",
    ),
]


class FindOptions(TypedDict):
    """The options of tasks that find things in images, by which a person says what counts as found."""

    score: Annotated[
        float | None,
        typer.Option(
            "--score", min=0.0, max=1.0, help="Take boxes above this score; predict shows those above 0.3 if left out."
        ),
    ]
    iou: Annotated[
        float | None,
        typer.Option(
            "--iou", min=0.0, max=1.0, help="Leave out a box that overlaps a better one by more than this share."
        ),
    ]
    suppress: Annotated[
        str | None,
        typer.Option(
            "--suppress",
            metavar="per-class|all|GROUPS",
            help="Say among which classes that is so: within each, over all, or in groups as 'cat,dog;car,bus'.",
        ),
    ]
    most: Annotated[int | None, typer.Option("--most", min=1, help="Take at most this number of boxes in an image.")]
    proposals: Proposals


_REST = inspect.Parameter.VAR_KEYWORD


def with_options(
    options: Mapping[str, Any], *, after: str | None = None, defaults: Mapping[str, Any] | None = None
) -> Callable[[Command], Command]:
    """Give a command an option for each annotation, in the place of its `**` parameter, and return it.

    Typer reads a command's options off its signature, where `**` alone names none.

    after     the parameter behind which help shows them; behind all when left out
    defaults  of options that are not None when left out
    """
    usual = defaults or {}

    def extended(command: Command) -> Command:
        signature = inspect.signature(command)
        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in signature.parameters.values()
            if parameter.kind is not _REST
        ]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=usual.get(name), annotation=annotation)
            for name, annotation in options.items()
        ]
        names = [parameter.name for parameter in parameters]
        position = len(names) if after is None else names.index(after) + 1
        both = [*parameters[:position], *added, *parameters[position:]]
        command.__signature__ = signature.replace(parameters=both)  # type: ignore[attr-defined]
        return command

    return extended


FINDS = get_type_hints(FindOptions, include_extras=True)


def finds_of(options: FindOptions) -> PredictionOptions:
    """What a person asks of what a net finds."""
    from resvision.kinds.prediction_options import PredictionOptions

    return PredictionOptions(
        options["score"], options["iou"], options["suppress"], options["most"], options["proposals"]
    )
