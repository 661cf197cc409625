"""A study made on the fly: every combination of some values of some settings, trained under the same seeds."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from resvision.assembly import task_name
from resvision.core.errors import SettingsError
from resvision.core.settings import leaves
from resvision.kinds.table import kind_of
from resvision.recipes import compose
from resvision.studies.comparison import MODEL, SEED, design_of_conditions, short_paths
from resvision.studies.design import Condition, Design

MOST = 200
"""The most conditions of a grid."""


def grid(
    models: Sequence[str],
    data: str,
    vary: Sequence[str],
    *,
    recipe: str | None = None,
    settings: Sequence[str] = (),
    seeds: int = 3,
) -> Design:
    """The design of a grid over models and settings.

    vary      `path=A,B,C`, a setting with its values, as often as there are settings
    settings  `KEY=VALUE` of all runs, which the values of a setting may need to be checked

    Raises SettingsError for a setting without two values, named twice, or unknown, and for a value that does not fit.
    """
    texts = values_by_path(vary)
    if len(models) < 2 and not texts:
        raise SettingsError("nothing varies; name --vary PATH=A,B, or several models with commas between")
    count = len(models)
    for values in texts.values():
        count *= len(values)
    if count > MOST:
        raise SettingsError(f"--vary: {count:,} conditions, each for every seed; up to {MOST} are made here")
    if again := [path for path in texts if any(text.strip().startswith(f"{path}=") for text in settings)]:
        raise SettingsError(f"--set {again[0]}: is varied by --vary; leave one of them out")
    shorts = short_paths([*texts])
    conditions = []
    for model, *values in product(models, *texts.values()):
        chosen = dict(zip(texts, values, strict=True))
        parts = [model] if len(models) > 1 else []
        parts += [f"{shorts[path]}={text}" for path, text in chosen.items()]
        own = _typed(model, data, chosen, recipe, settings)
        conditions.append(Condition(name=folder_safe(",".join(parts)), model=model, settings=own))
    run = compose(models[0], data, recipe_name=recipe, settings=settings)
    differing: dict[str, Sequence[Any]] = {MODEL: models} if len(models) > 1 else {}
    return design_of_conditions(
        conditions, {**differing, **texts}, kind_of(task_name(run)), name="grid", data=data, seeds=seeds
    )


def values_by_path(vary: Sequence[str]) -> dict[str, list[str]]:
    """The values of each setting as text, from `path=A,B,C`."""
    texts: dict[str, list[str]] = {}
    for text in vary:
        path, equals, values = (part.strip() for part in text.partition("="))
        listed = [value.strip() for value in values.split(",")]
        if not equals or len(listed) < 2 or not all(listed):
            raise SettingsError(
                f"--vary {text}: write a setting and two values or more, such as --vary optimizer.lr=0.05,0.1"
            )
        if twice := [value for value in listed if listed.count(value) > 1]:
            raise SettingsError(f"--vary {text}: names {twice[0]} twice")
        if path in texts:
            raise SettingsError(f"--vary {path}: is given twice; name all its values at once")
        if path == SEED:
            raise SettingsError(f"--vary {path}: seeds are no conditions; say --seeds N")
        if path == MODEL:
            raise SettingsError(f"--vary {path}: name the models first, with commas between: study grid {values} ...")
        texts[path] = listed
    return texts


def folder_safe(name: str) -> str:
    """The name of a condition as a folder may have it."""
    return "".join("-" if letter in ' /\\:"*?<>|' else letter for letter in name)


def _typed(
    model: str, data: str, chosen: Mapping[str, str], recipe: str | None, settings: Sequence[str]
) -> dict[str, Any]:
    """The values of a condition as the settings have them: numbers of texts, and refused where they do not fit."""
    texts = [f"{path}={text}" for path, text in chosen.items()]
    run = compose(model, data, recipe_name=recipe, settings=[*settings, *texts])
    known = dict(leaves(run))
    return {path: known[path] for path in chosen}
