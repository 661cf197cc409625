"""`resvision settings`: everything that `--set` takes, with its meaning, its form and its default."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from resvision import catalog
from resvision.cli.shared_options import AsJson
from resvision.cli.tables import Wide, new_table, print_lines, print_tables
from resvision.core import references, rundir
from resvision.core.errors import RunError, UnknownNameError, nearest
from resvision.core.files import SETTINGS
from resvision.core.meanings import as_text
from resvision.core.settings import leaves
from resvision.setting_list.kept import OPTIONS, Setting, kept, settings_of


def command(
    prefix: Annotated[
        str,
        typer.Argument(help="Show the settings that begin with this, such as augment or optimizer.lr."),
    ] = "",
    model: Annotated[
        str | None,
        typer.Option(help="Show the settings of this model, with the options of its net."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(help="Show the values in this run directory beside them."),
    ] = None,
    as_json: AsJson = False,
    wide: Wide = False,
) -> None:
    """List everything that --set takes: meaning, form and default."""
    values = {} if run is None else _values(run)
    if model is None and isinstance(values.get("model.name"), str):
        model = str(values["model.name"])
    settings = _matching(_of_model(model), prefix)
    if as_json:
        typer.echo(json.dumps({"settings": [_document(setting, values) for setting in settings]}, indent=2))
        return
    shows_model = model is None and any(setting.only_for for setting in settings)
    columns = ["setting", *(["value"] if values else []), "default", "form", *(["only for"] if shows_model else [])]
    table = new_table(*columns, "meaning")
    for setting in settings:
        leaf = setting.leaf
        value = [as_text(values[leaf.path]) if leaf.path in values else "-"] if values else []
        form = ", ".join(leaf.choices) or leaf.form
        only_for = [setting.only_for] if shows_model else []
        table.add_row(leaf.path, *value, leaf.default, form, *only_for, leaf.meaning)
    print_tables(table, wide=wide)
    if model is None:
        print_lines("--model NAME adds the options of a net, model.options.*; --run RUN the values of a run")


def _of_model(name: str | None) -> list[Setting]:
    """The settings of a model, or all that do not depend on one."""
    if name is None:
        return kept().settings
    if not references.is_reference(name):
        return settings_of(name)
    from resvision.setting_list.live import options_of_builder  # own code is imported because a person names it

    usual = catalog.find(name)
    general = [setting for setting in kept().settings if not setting.tasks or usual.task in setting.tasks]
    builder = references.load(name, noun="model")
    options = [Setting(leaf) for leaf in options_of_builder(builder)]
    return [*(setting for setting in general if not setting.models), *options]


def _matching(settings: list[Setting], prefix: str) -> list[Setting]:
    """The settings below a prefix; those whose last name begins with it where there are none."""
    chosen = [setting for setting in settings if setting.leaf.path.startswith(prefix)]
    chosen = chosen or [setting for setting in settings if setting.leaf.path.rpartition(".")[2].startswith(prefix)]
    if not chosen:
        paths = [setting.leaf.path for setting in settings]
        ends = {path.rpartition(".")[2]: path for path in paths}
        similar = nearest(prefix, paths) or [ends[end] for end in nearest(prefix.rpartition(".")[2], ends)]
        hint = f"; nearest: {', '.join(similar)}" if similar else ""
        more = "; --model NAME adds the options of a net" if prefix.startswith(OPTIONS) else ""
        raise UnknownNameError(f"no setting begins with {prefix!r}{hint}{more}")
    return chosen


def _values(run: Path) -> dict[str, Any]:
    """The values in a run's file by path; nothing that they name is imported."""
    path = rundir.require(run) / rundir.RUN
    data = rundir.read_json(path, limit=SETTINGS)
    if not isinstance(data, dict):
        raise RunError(f"{path}: damaged: expected a JSON object")
    return dict(leaves(data))


def _document(setting: Setting, values: dict[str, Any]) -> dict[str, Any]:
    document = setting.leaf._asdict() | {"tasks": setting.tasks, "models": setting.models}
    return document | ({"value": values.get(setting.leaf.path)} if values else {})
