"""The kept list of settings: read without torch, so that a listing and a shell's completions come at once.

`make settings` writes it anew; a test holds it against the declarations.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from resvision import catalog
from resvision.catalog.row import Row
from resvision.core.meanings import Leaf, as_text

KEPT = "settings.json"

OPTIONS = "model.options"
"""The path below which the options of a net stand."""


class Setting(NamedTuple):
    """A leaf that `--set` takes.

    tasks   the tasks that have it, () for all
    models  the models that alone have it, () for all
    """

    leaf: Leaf
    tasks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()

    @property
    def only_for(self) -> str:
        """The tasks or models that it is for, in words; "" for all."""
        return ", ".join(self.models or self.tasks)


class KeptRecipe(NamedTuple):
    """The lengths of a recipe's runs, one after another, and the models of the catalog that it can train."""

    lengths: tuple[str, ...]
    models: tuple[str, ...]


class KeptList(NamedTuple):
    """All that is kept.

    options         of each builder of nets
    over_backbones  the builders that take a net
    recipes         by name
    """

    settings: list[Setting]
    options: dict[str, list[Leaf]]
    over_backbones: tuple[str, ...]
    recipes: dict[str, KeptRecipe]


@cache
def kept() -> KeptList:
    """The list as it was kept."""
    data = json.loads((files("resvision.setting_list") / KEPT).read_text(encoding="utf-8"))
    return KeptList(
        [Setting(_leaf(entry["leaf"]), tuple(entry["tasks"]), tuple(entry["models"])) for entry in data["settings"]],
        {builder: [_leaf(leaf) for leaf in leaves] for builder, leaves in data["options"].items()},
        tuple(data["over_backbones"]),
        {
            name: KeptRecipe(*map(tuple, (recipe["lengths"], recipe["models"])))
            for name, recipe in data["recipes"].items()
        },
    )


def settings_of(model: str) -> list[Setting]:
    """The settings of a model of the catalog: those of its task and its losses, and the options of its net."""
    row = catalog.find(model)
    own_loss = any(model in setting.models for setting in kept().settings)
    chosen = [
        setting
        for setting in kept().settings
        if (not setting.tasks or row.task in setting.tasks)
        and (not setting.models or model in setting.models)
        and not (own_loss and setting.leaf.path.startswith("loss.") and not setting.models)
    ]
    return [*chosen, *(Setting(leaf) for leaf in options_of(row))]


def options_of(row: Row, *, backbone: str | None = None) -> list[Leaf]:
    """The options that a user may give to a model of the catalog, those of its backbone among them."""
    leaves = {leaf.path: leaf for leaf in kept().options[row.builder]}
    if row.builder in kept().over_backbones:
        name = backbone or {**row.usual, **row.options}["backbone"]
        below = {leaf.path: leaf for leaf in options_of(catalog.find(str(name)))}
        leaves = {**below, **leaves}
    usual = _by_path(row.usual)
    fixed = _by_path(row.options)
    changed = [leaf._replace(default=as_text(usual.get(path, leaf.default))) for path, leaf in leaves.items()]
    return [leaf for leaf in changed if leaf.path not in fixed]


def to_json(listed: KeptList) -> dict[str, Any]:
    """The content of the kept file."""
    return {
        "settings": [setting._replace(leaf=setting.leaf._asdict())._asdict() for setting in listed.settings],  # type: ignore[arg-type]
        "options": {builder: [leaf._asdict() for leaf in leaves] for builder, leaves in listed.options.items()},
        "over_backbones": listed.over_backbones,
        "recipes": {name: recipe._asdict() for name, recipe in listed.recipes.items()},
    }


def _leaf(data: dict[str, Any]) -> Leaf:
    return Leaf(**{**data, "choices": tuple(data["choices"])})


def _by_path(options: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{OPTIONS}.{name}": value for name, value in options.items()}
