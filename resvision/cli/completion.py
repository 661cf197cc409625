"""The words that a shell completes: models, recipes, data sets, runs and settings. Reaches no torch.

A shell asks in a process of its own and waits, so everything here is read from tables or from names of folders.
"""

import inspect
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from typer.models import ParameterInfo

from resvision.catalog import ROWS
from resvision.core import rundir
from resvision.core.meanings import Leaf
from resvision.data import sets
from resvision.data.fault_kinds import KINDS as FAULT_KINDS
from resvision.kinds.table import TASKS, kind_of
from resvision.recipes.table import RECIPES
from resvision.runtime.shipped import SHIPPED
from resvision.setting_list.kept import kept, options_of

MOST_FOLDERS = 2000
"""The folders that are looked into for runs at most."""


def models(incomplete: str) -> list[str]:
    """The models whose names begin so."""
    return [row.name for row in ROWS if row.name.startswith(incomplete)]


def recipes(incomplete: str) -> list[str]:
    """The recipes whose names begin so."""
    return [name for name in RECIPES if name.startswith(incomplete)]


def data_sets(incomplete: str) -> list[str]:
    """The named data sets, and the folders, that begin so."""
    named = [row.name for row in sets.SETS if row.name.startswith(incomplete)]
    return [*named, *(f"{folder}/" for folder in _folders(incomplete))]


def runs(incomplete: str) -> list[str]:
    """The run directories that begin so, not far below the working folder or the folder that is begun."""
    start = incomplete.rpartition("/")[0]
    base = Path(start or ("/" if incomplete.startswith("/") else "."))
    paths = (str(path) for path in _runs_below(base) if path != Path())
    return [path for path in paths if path.startswith(incomplete)]


def bundles(incomplete: str) -> list[str]:
    """The runs and folders of bundles that begin so, then the shipped bundles."""
    return [*runs(incomplete), *(name for name in SHIPPED if name.startswith(incomplete))]


def models_and_runs(incomplete: str) -> list[str]:
    """The runs and bundles that begin so, then the models."""
    return [*bundles(incomplete), *models(incomplete)]


def setting_keys(incomplete: str) -> list[str]:
    """The settings whose paths begin so."""
    return [leaf.path for leaf in _leaves() if leaf.path.startswith(incomplete)]


def settings(incomplete: str) -> list[str]:
    """The settings that begin so, as `key=`; with their choices after the equals sign."""
    key, equals, begun = incomplete.partition("=")
    keys = [key] if equals else setting_keys(key)
    if len(keys) > 1:
        return [f"{path}=" for path in keys]
    choices = dict.fromkeys(choice for leaf in _leaves() if leaf.path in keys for choice in leaf.choices)
    chosen = [f"{path}={choice}" for path in keys for choice in choices if choice.startswith(begun)]
    return chosen or [f"{path}=" for path in keys if not equals]


def label_forms(incomplete: str) -> list[str]:
    """The forms of labels of any task whose names begin so."""
    forms = dict.fromkeys(form for task in TASKS for form in kind_of(task).label_forms)
    return [form for form in forms if form.startswith(incomplete)]


def fault_kinds(incomplete: str) -> list[str]:
    """The kinds of faults whose names begin as the last of a list with commas does, behind the others."""
    before, comma, begun = incomplete.rpartition(",")
    return [f"{before}{comma}{kind}" for kind in FAULT_KINDS if kind.startswith(begun)]


_PLAIN = re.compile(r"(?![.-])[\w.,:=@%+-]+")
"""Names that mean themselves on a command line: an answer stands there unquoted, so `$(...)` would be carried out."""

COMPLETED: dict[str, Callable[[str], list[str]]] = {
    "model": models,
    "models": models,
    "recipe": recipes,
    "data": data_sets,
    "name": data_sets,
    "name_or_folder": data_sets,
    "run": models_and_runs,
    "runs": models_and_runs,
    "bundles": bundles,
    "resume": runs,
    "labels": label_forms,
    "to": label_forms,
    "allow": fault_kinds,
    "folders": runs,
    "settings": settings,
    "prefix": setting_keys,
}
"""The completion of a parameter of any verb, by its name."""


def attach(command: Callable[..., Any]) -> None:
    """Give the parameters of a verb their completions, unless they have one; typer reads both off the signature."""
    for name, parameter in inspect.signature(command).parameters.items():
        for declared in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(declared, ParameterInfo) and declared.autocompletion is None and name in COMPLETED:
                declared.autocompletion = COMPLETED[name]


def _leaves() -> Iterator[Leaf]:
    """Yield the settings, and the options of all nets, each once."""
    seen: set[str] = set()
    for leaf in (*(setting.leaf for setting in kept().settings), *(leaf for row in ROWS for leaf in options_of(row))):
        if leaf.path not in seen:
            seen.add(leaf.path)
            yield leaf


def _folders(incomplete: str) -> Iterator[Path]:
    """Yield the folders whose paths begin so, by name."""
    base = Path(incomplete.rpartition("/")[0] or ("/" if incomplete.startswith("/") else "."))
    for folder in _subfolders(base):
        if str(folder).startswith(incomplete):
            yield folder


def _subfolders(folder: Path) -> list[Path]:
    """The folders in a folder by name; without hidden ones and those whose names a shell would take as more."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if _PLAIN.fullmatch(entry.name) and entry.is_dir())
    except OSError:  # what cannot be read has nothing to complete
        return []
    return [folder / name for name in names]


def _runs_below(base: Path, *, deepest: int = 3) -> Iterator[Path]:
    """Yield the run directories below a folder, level by level, up to a number of folders."""
    level, looked = [base], 0
    for _ in range(deepest + 1):
        below: list[Path] = []
        for folder in level[: MOST_FOLDERS - looked]:
            looked += 1
            if (folder / rundir.RUN).is_file():
                yield folder
            else:
                below += _subfolders(folder)
        level = below
