"""`resvision inspect MODEL --anchors IMAGE`: the anchors of a net to scale, and boxes of a set that none matches."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from resvision import catalog
from resvision.cli.showings import print_showings, require_free, write_showings
from resvision.core.errors import SettingsError

if TYPE_CHECKING:
    from resvision.contracts import System
    from resvision.core.samples import Reader
    from resvision.core.views import View
    from resvision.tasks import Task

NEUTRAL = 0.5
"""Mean and standard deviation of a net that no data normalize; places of anchors do not depend on them."""


class AnchorQuestion(NamedTuple):
    """The question to a model that the options of the verb ask.

    image  the image over which anchors are drawn
    data   a set whose boxes are matched, with the folder that a named one lies in, and its split
    allow  kinds of faults of the set, with commas between; None leaves it to the run
    out    a folder for the pictures
    """

    image: Path
    data: str | None
    root: Path | None
    split: str
    allow: str | None
    out: Path | None
    shape: tuple[int, int, int] | None
    num_classes: int | None
    options: Mapping[str, Any]


class Subject(NamedTuple):
    """The system that is asked about, its task, and how it is shown images; `reader` is the set's split, if any."""

    system: "System"
    task: "Task[Any]"
    view: "View"
    reader: "Reader[Any] | None"


def show(model: str, question: AnchorQuestion, *, force: bool, as_json: bool, wide: bool) -> None:
    """Print the anchors of a model or run, and the boxes that none matches; write the pictures into a folder."""
    from resvision.core.images import decode
    from resvision.tasks import Seen

    # Wrong files are named before a net is built.
    image = decode(question.image)
    if question.out is not None:
        require_free(question.out, question.out / "anchors.png", force=force)
    subject = _of_run(Path(model), question) if Path(model).is_dir() else _of_catalog(model, question)
    system, task, view, reader = subject
    name = str(question.image)
    showings = [task.anchors_shown(system, Seen(*view.show(image, name=name, grey=True), name, image))]
    if reader is not None:
        showings.append(task.unmatched_shown(system, reader))
    written = [] if question.out is None else write_showings(showings, question.out, force=force)
    if as_json:
        names = ("anchors", "matches")
        document = {name: showing.document for name, showing in zip(names, showings, strict=False)}
        typer.echo(json.dumps({"model": model, **document}, indent=2))
        return
    print_showings(showings, written, wide=wide)


def _of_run(folder: Path, question: AnchorQuestion) -> Subject:
    from resvision.inference.load import load_quietly
    from resvision.run import read_run

    if question.shape or question.num_classes or question.options:
        raise SettingsError(f"{folder}: a run has its own net; leave out --input, --num-classes and --option")
    trained = load_quietly(folder)
    reader = _reader(question, task=trained.task.kind.name, usual=read_run(folder).data.allow)
    if reader is not None:
        reader.view = trained.view
    return Subject(trained.system, trained.task, trained.view, reader)


def _of_catalog(name: str, question: AnchorQuestion) -> Subject:
    """The untrained net of a name, seen as its paper does, or as the set is."""
    row = catalog.find(name)
    import torch

    from resvision.core import references
    from resvision.core.settings import from_options
    from resvision.probes.shapes import WithoutDrawing
    from resvision.tasks import task_of

    task = task_of(row.task)
    reader = _reader(question, task=row.task, usual=())
    channels, *sides = question.shape or row.input
    if reader is not None and (question.shape is not None or reader.view.side_px is None):
        reader.view = _view(task, reader.view.channels, sides, like=reader.view)
    view = reader.view if reader is not None else _view(task, channels, sides)
    taken = catalog.options(name, question.options)
    options = {"in_channels": view.channels} if "in_channels" in taken else {}
    classes = question.num_classes or (row.num_classes if reader is None else len(reader.classes))
    system: Any = references.load(row.system or task.system, noun="system")
    with torch.device("meta"), WithoutDrawing():  # places of anchors follow from the net's form alone
        net = catalog.build(name, num_classes=classes, **{**options, **question.options})
    built = system(net, mean=view.mean, std=view.std, options=from_options(system.loss_options, {}, at="loss"))
    return Subject(built.eval(), task, view, reader)


def _view(task: "Task[Any]", channels: int, sides: list[int], *, like: "View | None" = None) -> "View":
    """The task's usual view at these sides, height and width."""
    shorter, longer = sorted(sides)
    mean, std = (like.mean, like.std) if like else ((NEUTRAL,) * channels, (NEUTRAL,) * channels)
    return task.usual_view((shorter, longer) if shorter < longer else (shorter,), mean=mean, std=std, input_px=shorter)


def _reader(question: AnchorQuestion, *, task: str, usual: tuple[str, ...]) -> "Reader[Any] | None":
    if question.data is None:
        return None
    from resvision.data.sets import open_splits

    allow = usual if question.allow is None else question.allow.split(",")
    splits = open_splits(question.data, root=question.root, task=task, allow=allow)
    readers = {reader.split: reader for reader in splits.readers}
    if question.split not in readers:
        raise SettingsError(f"--split {question.split}: {question.data} has {', '.join(readers)}")
    return readers[question.split]
