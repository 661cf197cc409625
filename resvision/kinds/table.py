"""The only table of tasks: their names, and their two halves as text. Importing it loads neither half.

A task of a user's own is named `package.module:TASK`; the object is its torch half, whose `kind` is the other one.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from resvision.core import references
from resvision.core.errors import SettingsError, printable, unknown_name

if TYPE_CHECKING:
    from resvision.kinds.kind import Kind


class TaskRow(NamedTuple):
    """The two halves of a task, as text.

    kind    "module:name" of its torch-free half, a `kinds.kind.Kind`
    task    "module:name" of its torch half, a `tasks.Task`
    recipe  the recipe of a net of a user's own, when none is named
    """

    kind: str
    task: str
    recipe: str


TASKS = {
    "classification": TaskRow(
        kind="resvision.kinds.classification.kind:KIND",
        task="resvision.classification.task:TASK",
        recipe="small-images-short",
    ),
    "segmentation": TaskRow(
        kind="resvision.kinds.segmentation.kind:KIND",
        task="resvision.segmentation.task:TASK",
        recipe="segmentation-short",
    ),
    "detection": TaskRow(
        kind="resvision.kinds.detection.kind:KIND",
        task="resvision.detection.task:TASK",
        recipe="detection-short",
    ),
    "motion": TaskRow(
        kind="resvision.kinds.motion.kind:KIND",
        task="resvision.motion.task:TASK",
        recipe="motion-short",
    ),
}
"""The first row is the task of a folder, a user's own net or a run of the first version that names none."""

USUAL = next(iter(TASKS))


def require(name: str) -> str:
    """The name of a task, if the table has it or it may be one of a user's own; UnknownNameError otherwise."""
    if name not in TASKS and not references.is_reference(name):
        raise unknown_name("task", name, TASKS)
    return name


def kind_of(name: str) -> "Kind[Any, Any, Any]":
    """The torch-free half of a task; that of a user's own imports its module.

    Raises UnknownNameError for a task that there is not, SettingsError for an object that has no `kind`.
    """
    if require(name) in TASKS:
        builtin: Kind[Any, Any, Any] = references.find(TASKS[name].kind, noun="task")
        return builtin
    half = getattr(references.find(name, noun="task"), "kind", None)
    if half is None:
        raise SettingsError(f"task {printable(name)}: the object has no `kind`, its torch-free half")
    kind: Kind[Any, Any, Any] = half
    return kind
