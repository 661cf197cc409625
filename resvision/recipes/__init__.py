"""Recipes, the named trainings. A recipe is a function that makes a Run from the names of a model and a data set.

It may also make several phases: Runs, each of which starts with the result of the one before it, or a graph of runs and
fits with named parents.

A recipe's docstring is its receipt. `recipes.table` gives the function of each name and a line of help.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from resvision.catalog import find
from resvision.core import references
from resvision.core.errors import SettingsError, UnknownNameError, unknown_name
from resvision.core.rundir import NO_STEPS
from resvision.core.settings import checked, with_leaf
from resvision.kinds.table import TASKS, require
from resvision.recipes.flags import FLAGS
from resvision.recipes.table import DECIDED as DECIDED
from resvision.recipes.table import RECIPES as RECIPES

if TYPE_CHECKING:
    from resvision.run import Run
    from resvision.training_graph import FitPhase, Phase

Tree = TypeVar("Tree")


def recipe(name: str) -> Callable[[str, str], "Run | tuple[Run, ...] | tuple[Phase, ...]"]:
    """The function of a recipe, named by its name or as `package.module:function`.

    The function returns a Run; Runs, each of which starts with the result of the one before it; or the phases of a
    graph. Raises UnknownNameError.
    """
    if name not in RECIPES and not references.is_reference(name):
        raise unknown_name("recipe", name, RECIPES)
    function: Callable[[str, str], Run | tuple[Run, ...] | tuple[Phase, ...]] = references.load(
        RECIPES[name].function if name in RECIPES else name, noun="recipe"
    )
    return function


def compose(
    model: str,
    data: str,
    *,
    recipe_name: str | None = None,
    changes: Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
) -> "Run":
    """Compose the Run of a model on a data set by a recipe of one run; SettingsError for one of several phases."""
    first, *others = compose_phases(model, data, recipe_name=recipe_name, changes=changes, settings=settings)
    if others or first.kind != "run":
        count = 1 + len(others)
        raise SettingsError(f"{recipe_name or model}: is made of {count} phases; `resvision train` carries them out")
    return first.run


def compose_phases(
    model: str,
    data: str,
    *,
    recipe_name: str | None = None,
    changes: Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
) -> "tuple[Phase, ...]":
    """Compose the phases of a model on a data set: the recipe's, changed by `changes` and then by `settings`.

    `changes` are values by path, `settings` texts `a.b=value`. They hold for every run; those that begin with `data.`
    hold for a fit that names its data, and a run of no steps stays one. Settings that begin with the name of a phase,
    `svm.options.cost=0.01`, hold for it alone. If no recipe is named, the model's row in the catalog names it; for a
    net of the user's own, the task does. Most recipes are one run. Raises UnknownNameError or SettingsError.
    """
    if model in RECIPES:
        raise SettingsError(f"{model} is a recipe; say: train MODEL --recipe {model}")
    name = recipe_name or _default_recipe(model, changes or {}, settings)
    with references.own_code(name):
        composed = recipe(name)(model, data)
    changed: list[Phase] = []
    phases = _as_phases(name, composed)
    own = _settings_of_phases(phases, settings)
    settings = [text for text in settings if not any(text in texts for texts in own.values())]
    for phase in phases:
        of_phase = [text.strip().removeprefix(f"{phase.name}.") for text in own[phase.name]]
        if phase.kind == "run":
            run = _length_kept(phase.run, _changed(phase.run, changes or {}, settings))
            run = _changed(run, {}, of_phase)
            changed.append(replace(phase, run=_without_second_encoder(run, recipe_asks=phase.run.model.encoder_from)))
        else:
            changed.append(_changed(_data_changed(phase, changes or {}, settings), {}, of_phase))
    return tuple(changed)


def _settings_of_phases(phases: "Sequence[Phase]", settings: Sequence[str]) -> dict[str, list[str]]:
    """The settings that begin with the name of a phase, by that name; names that a Run has for its parts are not."""
    from resvision.run import Run

    return {
        phase.name: [text for text in settings if text.strip().startswith(f"{phase.name}.")]
        if phase.name not in Run.__dataclass_fields__
        else []
        for phase in phases
    }


def _length_kept(asked: "Run", changed: "Run") -> "Run":
    """The changed run, but of no steps where the recipe asks for none: its weights are the result of other phases."""
    if asked.training.duration != NO_STEPS:
        return changed
    return replace(changed, training=replace(changed.training, duration=NO_STEPS))


def _without_second_encoder(run: "Run", *, recipe_asks: str | None) -> "Run":
    """Leave out the encoder that a recipe asks for where weights of the whole net, which hold one, are named."""
    if run.model.init_from is None or recipe_asks is None or run.model.encoder_from != recipe_asks:
        return run
    return replace(run, model=replace(run.model, encoder_from=None))


def _as_phases(name: str, composed: Any) -> "tuple[Phase, ...]":
    """The result of a recipe as phases; SettingsError where it is none."""
    from resvision.run import Run  # with torch, which a recipe needs too and a listing of recipes does not
    from resvision.training_graph import FitPhase, RunPhase, chain

    if isinstance(composed, Run):
        return chain([composed])
    parts = composed if isinstance(composed, tuple) and composed else (composed,)
    if all(isinstance(part, Run) for part in parts):
        return chain(parts)
    wrong = [part for part in parts if not isinstance(part, RunPhase | FitPhase)]
    if wrong:
        raise SettingsError(f"{name}: gave {type(wrong[0]).__name__}, not a resvision.Run")
    return parts


def _default_recipe(model: str, changes: Mapping[str, Any], settings: Sequence[str]) -> str:
    """The name of the recipe of a model where none is named."""
    default = find(model).recipe
    if not references.is_reference(model):
        return default
    # A user's own net has no row, so the recipe follows from the task that the run asks for, if it asks for one.
    task = changes.get("model.task")
    for path, _, written in (text.partition("=") for text in settings):
        if path.strip() == "model.task":
            task = written.strip()
    return TASKS[str(task)].recipe if str(task) in TASKS else default


def _data_changed(fit: "FitPhase", changes: Mapping[str, Any], settings: Sequence[str]) -> "FitPhase":
    """The fit with the changes of its data, where it names data of its own."""
    if fit.data is None:
        return fit
    data_changes = {path: value for path, value in changes.items() if path.startswith("data.")}
    return _changed(fit, data_changes, [text for text in settings if text.strip().startswith("data.")])


def _changed(tree: Tree, changes: Mapping[str, Any], settings: Sequence[str]) -> Tree:
    for path, value in changes.items():
        tree = with_leaf(tree, _open_to_change(path), value)
    for text in settings:
        path, equals, written = text.partition("=")
        if not equals:
            raise SettingsError(f"--set {text}: write it as key=value, such as --set optimizer.lr=0.05")
        tree = with_leaf(tree, _open_to_change(path.strip()), written.strip(), text=True)
    _require_task(tree)
    return checked(tree)


def _require_task(tree: Any) -> None:
    """SettingsError where the tree is a Run that asks for a task that there is not."""
    task = getattr(getattr(tree, "model", None), "task", None)
    if task is not None:
        try:
            require(task)
        except UnknownNameError as error:
            raise SettingsError(f"model.task: {error}") from None


def _open_to_change(path: str) -> str:
    """The path itself; SettingsError where something else decides its value, or it is the name of a flag."""
    if (flag := FLAGS.get(path.replace("-", "_"))) is not None:
        raise SettingsError(f"unknown key {path!r}; it is {flag.flag.path}, or the flag --{path.replace('_', '-')}")
    for decided, reason in DECIDED.items():
        if path == decided or path.startswith(f"{decided}."):
            raise SettingsError(f"{path}: cannot be set, it is decided by {reason}")
    return path
