"""Evaluation of a trained run on a data set, its own or another with the same classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resvision import catalog
from resvision.core.samples import Reader
from resvision.data.faults import at
from resvision.data.layouts import layout_for
from resvision.data.sets import open_splits
from resvision.inference.load import Trained, load
from resvision.kinds.kind import Kind, Scores
from resvision.papers.results import Published, published
from resvision.tasks import How


def evaluate(
    run: Trained | str | Path,
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    batch_size: int | None = None,
    grey: bool = False,
    compiled: bool | None = None,
    protocol: str | None = None,
    scales: Sequence[int] | None = None,
) -> Scores:
    """Score a run on the test split of `data`, by default of the data it was trained on.

    The result is of the run's task: errors of classes, or IoU and accuracies of label maps. A folder of class folders
    alone is scored whole, unless the run was trained on a part of it.

    root        where a named data set lies
    batch_size  images, or views of them, at a time; left to the task when left out
    grey        turn colour into grey for a net that takes grey; its own data is turned as in training
    compiled    compile the net first; decided by the work there is to do when left out
    protocol    one of `resvision evaluate --protocols`, the task's usual one when left out
    scales      shorter sides of the resized images in pixels, in place of the protocol's

    Images go through the run's own view. Classes are matched by name: `data` may lack some of the run's classes or have
    them in another order. Raises DataError for a class that the run does not know, UnknownNameError for a protocol that
    its task does not have, SettingsError for options that its task does not take.
    """
    trained = run if isinstance(run, Trained) else load(run)
    how = How(batch_size, grey or data is None, compiled, protocol, None if scales is None else tuple(scales))
    require_how(trained.kind, how)
    return trained.task.evaluate(trained, open_reader(trained, data, root=root), how)


def require_how(kind: Kind[Any, Any, Any], how: How) -> None:
    """Raise SettingsError for an option that the task does not take."""
    kind.require_options({"scales": how.scales is not None, "compile": bool(how.compiled)})


def open_reader(trained: Trained, data: str | Path | None = None, *, root: str | Path | None = None) -> Reader[Any]:
    """Open the images that `evaluate` scores: the test split of `data`, or all of it."""
    settings, task = trained.run.data, trained.run.model.task
    if data is None:
        return open_data(settings.name, task, root=root if root is not None else settings.root, whole=False)
    return open_data(data, task, root=root, whole=_resolved(data) != settings.name)


def open_data(data: str | Path, task: str | None, *, root: str | Path | None = None, whole: bool = True) -> Reader[Any]:
    """Open the test split of a data set or folder; `whole` takes all of a folder that has no splits of its own."""
    name = _resolved(data)
    if whole and Path(name).exists():
        folder = at(Path(name))
        reader = layout_for(folder, task)[1].open_whole(folder)
        if reader is not None:
            return reader
    return open_splits(name, root=Path(root) if root else None, task=task).test


def comparable(trained: Trained, data: str, how: How) -> list[Published]:
    """The published results of the run's net on this data and by this protocol.

    There are none for a net with options of the user's own, for images of another size than the paper's, and for other
    scales.
    """
    model, row = trained.run.model, catalog.find(trained.run.model.name)
    usual = catalog.options(model.name, model.options) | {"in_channels": row.input[0], "input_size": row.input[1]}
    if any(value != usual.get(key) for key, value in model.options.items()):
        return []
    tested_as = trained.task.published_as(trained, how, input_px=row.input[1])
    return [] if tested_as is None else published(model.name, data=data, protocol=tested_as[0], scales=tested_as[1])


def _resolved(data: str | Path) -> str:
    return str(Path(data).resolve()) if Path(data).exists() else str(data)
