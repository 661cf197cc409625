"""`resvision inspect DATA --raster`: samples as they are drawn for a net, and pictures of them for people."""

import json
from collections.abc import Sequence
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

import typer

from resvision.cli.showings import print_showings, require_free, write_showings
from resvision.core.errors import DataError, SettingsError
from resvision.core.samples import Drawing, Timing
from resvision.core.settings import with_leaf
from resvision.data import sets
from resvision.kinds.table import kind_of

if TYPE_CHECKING:
    from resvision.core.samples import Reader
    from resvision.kinds.kind import Kind


class SampleQuestion(NamedTuple):
    """Which samples are shown, and how they are drawn.

    data      a data set or a folder, or a run, whose test samples are shown with its predictions
    root      a folder that a named set lies in
    shown     the number of samples
    settings  `data.history_seconds=2` and the like
    out       a folder for the pictures
    """

    data: str
    root: Path | None
    split: str | None
    shown: int
    settings: Sequence[str]
    out: Path | None
    allow_code: bool


class Samples(NamedTuple):
    """Some samples of a split, and a net's results for them where there is a net."""

    kind: "Kind[Any, Any, Any]"
    reader: "Reader[Any]"
    indices: list[int]
    results: list[Any] | None


_HINTS = {"image_size": int | None, **get_type_hints(Timing), **get_type_hints(Drawing)}
_LISTS = {"columns": tuple[str, ...], "allow": tuple[str, ...]}
_Asked = make_dataclass(
    "_Asked",
    [
        *((name, hint, field(default=None)) for name, hint in _HINTS.items()),
        *((name, hint, field(default=())) for name, hint in _LISTS.items()),
    ],
    frozen=True,
)
_Settings = make_dataclass("_Settings", [("data", _Asked, field(default_factory=_Asked))], frozen=True)


def show(question: SampleQuestion, *, force: bool, as_json: bool, wide: bool) -> None:
    """Print some samples of a set or a run, and write the pictures into a folder."""
    if question.out is not None:
        require_free(question.out, question.out / "raster-1.png", force=force)
    of_run = (Path(question.data) / "run.json").is_file()
    samples = _of_run(question) if of_run else _of_data(question)
    showing = samples.kind.samples_shown(
        samples.reader, samples.indices, samples.results, pictures=question.out is not None
    )
    written = [] if question.out is None else write_showings([showing], question.out, force=force)
    if as_json:
        typer.echo(json.dumps(showing.document | {"written": [str(path) for path in written]}, indent=2))
    else:
        print_showings([showing], written, wide=wide)


def _of_data(question: SampleQuestion) -> Samples:
    """Samples of a data set, spread evenly over the split."""
    asked = _asked(question.settings)
    task = sets.made_for(question.data, root=question.root, columns=asked.columns)
    timing = Timing(*(getattr(asked, name) for name in Timing._fields))
    drawing = Drawing(*(getattr(asked, name) for name in Drawing._fields))
    splits = sets.open_splits(
        question.data,
        root=question.root,
        task=task,
        image_size=asked.image_size,
        columns=asked.columns,
        allow=asked.allow,
        timing=timing,
        drawing=drawing,
    )
    readers = {reader.split: reader for reader in splits.readers}
    split = question.split or "train"
    if split not in readers:
        raise SettingsError(f"--split {split}: {question.data} has {', '.join(readers)}")
    return Samples(kind_of(task), readers[split], _spread(readers[split], question.shown), None)


def _of_run(question: SampleQuestion) -> Samples:
    """Test samples of a run, drawn as its net sees them, with its predictions."""
    from resvision.inference.evaluate import open_images
    from resvision.inference.load import load_quietly
    from resvision.prediction.predictions import result_of

    if question.settings or question.split:
        raise SettingsError(f"{question.data}: a run has its own data and drawing; leave out --set and --split")
    trained = load_quietly(question.data, allow_code=question.allow_code)
    reader = open_images(trained, root=question.root).reader
    reader.view = trained.view
    indices = _spread(reader, question.shown)
    results = [result_of(trained, reader[index], name=reader.source(index)) for index in indices]
    return Samples(trained.kind, reader, indices, results)


def _spread(reader: "Reader[Any]", count: int) -> list[int]:
    """So many positions of a reader, from its first to its last."""
    if not len(reader):
        raise DataError(f"{reader.name}, {reader.split}: has no samples")
    step = (len(reader) - 1) / max(1, count - 1)
    return list(dict.fromkeys(round(number * step) for number in range(count)))


def _asked(settings: Sequence[str]) -> Any:
    """What is asked of cuts and drawings. Raises SettingsError for other settings."""
    tree: Any = _Settings()
    for text in settings:
        path, equals, written = text.partition("=")
        if not equals:
            raise SettingsError(f"--set {text}: write it as key=value, such as --set data.history_seconds=2")
        tree = with_leaf(tree, path.strip(), written.strip(), text=True)
    return tree.data
