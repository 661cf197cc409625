"""No file outside a task's own folders knows the name of a task: held over the syntax tree of the whole package."""

import ast
from collections.abc import Iterator
from pathlib import Path

import resvision
from resvision.kinds.table import TASKS

PACKAGE = Path(resvision.__file__).parent
OWN = {PACKAGE / place for name in TASKS for place in (name, f"kinds/{name}")}
TABLE = PACKAGE / "kinds" / "table.py"


def files() -> Iterator[Path]:
    """Every file of the package but those of the tasks themselves and the one table."""
    for file in sorted(PACKAGE.rglob("*.py")):
        if file != TABLE and not OWN & set(file.parents):
            yield file


def names_a_task(node: ast.expr | None) -> bool:
    """Whether a literal is the name of a task, or holds one."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(names_a_task, node.elts))
    return isinstance(node, ast.Constant) and node.value in TASKS


def branches(tree: ast.AST) -> Iterator[ast.AST]:
    """Comparisons with a task's name, dictionaries by it, cases of it, and questions for the class of scores."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare() if any(map(names_a_task, (node.left, *node.comparators))):
                yield node
            case ast.Dict() if any(map(names_a_task, node.keys)):
                yield node
            case ast.MatchValue(value=value) if names_a_task(value):
                yield node
            case ast.Call(func=ast.Name(id="isinstance"), args=[_, kind]):
                if any(isinstance(part, ast.Name) and part.id.endswith("Scores") for part in ast.walk(kind)):
                    yield node


def test_no_module_branches_by_the_name_of_a_task_or_by_the_class_of_scores() -> None:
    found = {
        f"{file.relative_to(PACKAGE)}:{getattr(node, 'lineno', '?')}"
        for file in files()
        for node in branches(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert found == set()


def test_the_search_finds_what_it_is_for() -> None:
    code = """
if task == "segmentation": ...
if task not in ("classification", "other"): ...
by = {"classification": 1}
match task:
    case "segmentation": ...
isinstance(scores, SegmentationScores)
"""
    assert len([*branches(ast.parse(code))]) == 5
    assert [*branches(ast.parse('row(task="segmentation")\nx = "classification"'))] == []
