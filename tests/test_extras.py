import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def brought(requirement: Requirement, seen: set[str]) -> Iterator[str]:
    """Yield the names of all packages that a requirement brings here, its own first."""
    name = canonicalize_name(requirement.name)
    if name in seen:
        return
    seen.add(name)
    yield name
    extras = requirement.extras or {""}
    for text in metadata.requires(name) or []:
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras):
            yield from brought(need, seen)


@pytest.mark.parametrize("extra", ["serve", "openvino", "onnx", "motion"])
def test_all_that_an_extra_brings_is_pinned(extra: str) -> None:
    root = Path(resvision.__file__).parents[1]
    pinned = {canonicalize_name(name) for name in re.findall(r"^(\S+)==", (root / "constraints.txt").read_text(), re.M)}
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needs = [Requirement(text) for text in [*project["dependencies"], *project["optional-dependencies"][extra]]]
    seen: set[str] = set()
    assert {name for need in needs for name in brought(need, seen)} - pinned == set()
