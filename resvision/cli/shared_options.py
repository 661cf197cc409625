"""Options that several verbs take, each declared once."""

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import typer

Command = TypeVar("Command", bound=Callable[..., None])

AllowCode = Annotated[bool, typer.Option("--allow-code", help="Import your own code that a run names.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
Grey = Annotated[bool, typer.Option("--grey/--no-grey", help="Turn colour into grey for a net that takes grey.")]


_REST = inspect.Parameter.VAR_KEYWORD


def with_options(options: Mapping[str, Any], *, after: str | None = None) -> Callable[[Command], Command]:
    """Give a command an option for each annotation, in the place of its `**` parameter, and return it.

    Typer reads a command's options off its signature, where `**` alone names none.

    after  the parameter behind which help shows them; behind all when left out
    """

    def extended(command: Command) -> Command:
        signature = inspect.signature(command)
        parameters = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in signature.parameters.values()
            if parameter.kind is not _REST
        ]
        added = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in options.items()
        ]
        names = [parameter.name for parameter in parameters]
        position = len(names) if after is None else names.index(after) + 1
        both = [*parameters[:position], *added, *parameters[position:]]
        command.__signature__ = signature.replace(parameters=both)  # type: ignore[attr-defined]
        return command

    return extended
