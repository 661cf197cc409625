import ast
import sys
from pathlib import Path

import resvision
from resvision.core.references import EXTRAS

LIGHT = {"PIL", "click", "msgspec", "numpy", "pydantic", "rich", "safetensors", "typer"}
"""Modules of the light install; pydantic comes with typer."""
NOTEBOOK = {"IPython"}
"""Modules that are there in a notebook, and imported nowhere else."""


def imported(path: Path) -> set[str]:
    """The first names of all modules that a file imports."""
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_every_module_that_the_light_install_lacks_has_its_extra() -> None:
    files = [*Path(resvision.__file__).parent.rglob("*.py")]
    modules = set().union(*map(imported, files)) - {"resvision"} - set(sys.stdlib_module_names) - LIGHT - NOTEBOOK
    assert modules <= set(EXTRAS)
