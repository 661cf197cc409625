"""`resvision recipes`: the named trainings, and those that fit a model."""

import json
from typing import Annotated, Any

import typer

from resvision import catalog
from resvision.cli.shared_options import AsJson
from resvision.cli.tables import Wide, new_table, print_lines, print_tables
from resvision.core import references
from resvision.kinds.table import TASKS
from resvision.recipes.table import RECIPES
from resvision.setting_list.kept import kept


def command(
    model: Annotated[
        str | None,
        typer.Argument(help="Show the recipes that can train this model."),
    ] = None,
    as_json: AsJson = False,
    wide: Wide = False,
) -> None:
    """List the recipes by which models are trained."""
    default = None if model is None else catalog.find(model).recipe
    fitting = [name for name in RECIPES if model is None or fits(name, model)]
    if as_json:
        typer.echo(json.dumps({"recipes": [_document(name, default) for name in fitting]}, indent=2))
        return
    table = new_table("recipe", "for", "length", "what it is", least=("for",))
    for name in fitting:
        table.add_row(f"{name} *" if name == default else name, RECIPES[name].data, length(name), RECIPES[name].summary)
    print_tables(table, wide=wide)
    if model is None:
        print_lines("resvision recipes MODEL lists those that can train a model, and marks its default")
    else:
        print_lines(f"* the default of {model}; --recipe takes another, and --epochs another length")


def fits(recipe: str, model: str) -> bool:
    """Whether a recipe can train a model; of a net of a user's own, whether it trains nets of its usual task."""
    models = kept().recipes[recipe].models
    if references.is_reference(model):
        task = catalog.find(model).task
        return any(catalog.find(name).task == task for name in models)
    return model in models


def length(recipe: str) -> str:
    """The length of a recipe's runs, in words."""
    lengths = [_with_commas(text) for text in kept().recipes[recipe].lengths]
    if len(lengths) > 1 and len(set(lengths)) == 1:
        return f"{len(lengths)} x {lengths[0]}"
    return ", then ".join(lengths)


def _with_commas(duration: str) -> str:
    number, _, unit = duration.partition(" ")
    return f"{int(number):,} {unit}"


def _document(name: str, default: str | None) -> dict[str, Any]:
    recipe, described = kept().recipes[name], RECIPES[name]
    tasks = [task for task in TASKS if any(catalog.find(model).task == task for model in recipe.models)]
    document = {"name": name, "summary": described.summary, "data": described.data, "lengths": recipe.lengths}
    return document | {"tasks": tasks, "models": recipe.models, "default": name == default}
