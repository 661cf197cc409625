"""The list of settings as it follows from their declarations. It asks every task and every net, so it loads torch."""

import inspect
from collections.abc import Iterator
from typing import Any

from resvision import catalog
from resvision.catalog.signatures import known_options, takes_backbone
from resvision.core import references
from resvision.core.errors import SettingsError, UnknownNameError
from resvision.core.meanings import Leaf, describe, describe_parameters
from resvision.kinds.table import TASKS
from resvision.recipes import DECIDED, RECIPES, compose_phases
from resvision.run import Run
from resvision.setting_list.kept import OPTIONS, KeptList, KeptRecipe, Setting
from resvision.tasks import task_of

OF_THE_DATA = ("num_classes", "in_channels", "input_size")
"""The options of a net that follow from the data."""


def list_settings() -> KeptList:
    """All settings of all tasks, and the options of every builder of the catalog."""
    builders = dict.fromkeys(row.builder for row in catalog.ROWS)
    loaded = {name: references.load(name, noun="model") for name in builders}
    return KeptList(
        sorted([*_of_runs(), *_of_losses()], key=_order),
        {name: options_of_builder(builder) for name, builder in loaded.items()},
        tuple(name for name, builder in loaded.items() if takes_backbone(builder)),
        {name: _recipe(name) for name in RECIPES},
    )


def options_of_builder(builder: Any) -> list[Leaf]:
    """The options of a net's builder as settings; those that the data decide are left out."""
    leaves = [*describe_parameters(builder, at=OPTIONS, leave_out=OF_THE_DATA)]
    if takes_backbone(builder):
        name = Leaf(f"{OPTIONS}.backbone", "the net below, a name of `resvision list`", "text", (), "")
        leaves = [name if leaf.path == name.path else leaf for leaf in leaves]
    return leaves


def _recipe(name: str) -> KeptRecipe:
    """The lengths of a recipe's runs, of the longest training that it makes, and the models that it can train."""
    lengths: tuple[str, ...] = ()
    models = []
    for row in catalog.ROWS:
        runs = _runs(name, row)
        if runs:
            lengths = max(lengths, tuple(run.training.duration for run in runs), key=len)
            models.append(row.name)
    return KeptRecipe(lengths, tuple(models))


def _runs(recipe: str, row: catalog.Row) -> list[Run]:
    """The runs that a recipe makes of a model; none where they are of another task, or have losses that it lacks."""
    try:
        runs = [phase.run for phase in compose_phases(row.name, "digits", recipe_name=recipe) if phase.kind == "run"]
        for run in runs:
            task = task_of(row.task)
            system: Any = references.load(row.system or task.system, noun="system")
            known_options(system.loss_options, run.loss, noun="loss")
            catalog_options = catalog.options(row.name, run.model.options)
            if type(run.augment) is not task.augment or not run.model.options.keys() <= catalog_options.keys():
                return []
    except (SettingsError, UnknownNameError):
        return []
    return runs


def _of_runs() -> list[Setting]:
    """The settings of a Run, with the augmentation of every task."""
    tasks: dict[Leaf, list[str]] = {}
    for task in TASKS:
        for leaf in describe(Run, at="", trees={"augment": task_of(task).augment}):
            if not any(f"{leaf.path}.".startswith(f"{decided}.") for decided in DECIDED):
                tasks.setdefault(leaf, []).append(task)
    return [Setting(leaf, () if len(names) == len(TASKS) else tuple(names)) for leaf, names in tasks.items()]


def _order(setting: Setting) -> tuple[Any, ...]:
    """The place of a setting: by its group as in a Run, those for all before those of some tasks and models."""
    group = [*inspect.signature(Run).parameters].index(setting.leaf.path.partition(".")[0])
    return group, bool(setting.models), setting.models, bool(setting.tasks), [*map([*TASKS].index, setting.tasks)]


def _of_losses() -> Iterator[Setting]:
    """Yield the options of the losses: of the usual system of each task, and of the models that have another."""
    for task in TASKS:
        usual = task_of(task).system  # "" where every net has a system of its own
        for leaf in _loss_options(usual) if usual else ():
            yield Setting(leaf, tasks=(task,))
    for system in dict.fromkeys(row.system for row in catalog.ROWS if row.system):
        models = tuple(row.name for row in catalog.ROWS if row.system == system)
        for leaf in _loss_options(system):
            yield Setting(leaf, models=models)


def _loss_options(system: str) -> Iterator[Leaf]:
    loaded: Any = references.load(system, noun="system")
    return describe(loaded.loss_options, at="loss")
