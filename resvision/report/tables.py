"""What a page says in words and tables, as rows of text: results, differing settings, classes, throughput."""

import json
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from resvision.core.history import TEST
from resvision.core.results import ClassificationScores
from resvision.core.settings import leaves
from resvision.report.read import RunRecord

MISSING = "—"
_LONGEST = 120  # letters of a setting's value in a table; run.json has it whole
_DERIVED = ("data.classes", "data.preprocess", "format")


class Cell(NamedTuple):
    """A figure as text; `best` where it is the best of the runs on its data; a `note` in small print."""

    text: str
    best: bool = False
    note: str = ""


class Row(NamedTuple):
    """The results of one run, `cells` by the headings of the columns."""

    name: str
    status: str
    cells: tuple[Cell, ...]


class ClassRow(NamedTuple):
    """Scores of one class; shares as text, and as 0..100 for a bar."""

    name: str
    images: int
    recall: str
    recall_bar: float
    precision: str
    precision_bar: float


class Column(NamedTuple):
    """A column of the results: a figure of a run, how it is written, and which end of it is better, if any."""

    heading: str
    figure: Callable[[RunRecord], Any]
    write: Callable[[Any], str]
    better: Callable[[Sequence[float]], float] | None = None
    note: Callable[[RunRecord], str] = lambda record: ""


def percent(share: float | None) -> str:
    """A share 0..1 as `0.83 %`, a dash for what is not known."""
    return MISSING if share is None or not isfinite(share) else f"{100 * share:.2f} %"


def figure(value: float | None) -> str:
    """Four significant digits, a dash for what is not known."""
    return MISSING if value is None or not isfinite(value) else f"{value:.4g}"


def whole(value: float | None) -> str:
    """A rounded number with commas, a dash for what is not known."""
    return MISSING if value is None or not isfinite(value) else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """`48 s`, `12.3 min` or `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _tested(name: str) -> Callable[[RunRecord], Any]:
    return lambda record: getattr(record.tested, name, None)


def _top5(record: RunRecord) -> float | None:
    """None with five classes or fewer, where it says nothing."""
    few = len(record.setting("data.classes") or range(6)) <= 5
    return None if few or record.tested is None else record.tested.top5_error


def epochs_done(record: RunRecord) -> str:
    """`20`, or `7 of 20` before the end."""
    done, total = (f"{steps / record.steps_per_epoch:.1f}" for steps in (record.steps_done, record.total_steps))
    words = total if record.steps_done >= record.total_steps else f"{done} of {total}"
    return words.replace(".0", "")


def _early(record: RunRecord) -> str:
    return "stopped early" if record.stopped_early else ""


def _of_best(record: RunRecord) -> str:
    """The epoch of the best validation."""
    return f"epoch {record.best_step / record.steps_per_epoch:.3g}" if record.best_step else ""


def _of_the_test(record: RunRecord) -> str:
    """What figures in a column of the test are of, before there are scores of the result."""
    tested = record.tested
    if record.scores is not None or tested is None:
        return ""
    epoch = f"epoch {tested.step / record.steps_per_epoch:.3g}"
    return epoch if tested.split == TEST else f"{tested.split}, {epoch}"


_RESULTS = (
    Column("model", lambda record: record.setting("model.name"), str),
    Column("data", lambda record: data_of(record)[0], str),
    Column("parameters", lambda record: record.parameters, whole),
    Column("epochs", epochs_done, str, note=_early),
    Column("train loss", lambda record: record.last_epoch_loss, figure, min),
    Column("train error", lambda record: record.last_epoch_error, percent, min),
    Column("best validation error", lambda record: record.best_error, percent, min, note=_of_best),
    Column("top-1 error", _tested("top1_error"), percent, min, note=_of_the_test),
    Column("top-5 error", _top5, percent, min, note=_of_the_test),
    Column("test loss", _tested("loss"), figure, min, note=_of_the_test),
    Column("images/s", lambda record: record.images_per_s, whole, max),
    Column("time", lambda record: record.seconds, duration, min),
    Column("precision", lambda record: record.setting("machine.precision"), str),
)
_TEXT = {"model", "data", "precision"}


def columns(records: Sequence[RunRecord]) -> tuple[Column, ...]:
    """The columns of the results; the one of validation only where a run has it."""
    judged = any(record.best_step for record in records)
    return tuple(column for column in _RESULTS if judged or column.heading != "best validation error")


def is_number(heading: str) -> bool:
    """Whether a column of the results holds numbers, which stand to the right."""
    return heading not in _TEXT


def result_rows(records: Sequence[RunRecord]) -> list[Row]:
    """A row a run. A figure is best when no finished run on the same data is better and one is worse."""
    return [
        Row(record.name, status(record), tuple(_cell(column, record, records) for column in columns(records)))
        for record in records
    ]


def status(record: RunRecord) -> str:
    """Empty for a finished run, `unfinished` or `not started` otherwise."""
    if record.finished:
        return ""
    return "unfinished" if record.steps_done else "not started"


def _cell(column: Column, record: RunRecord, records: Sequence[RunRecord]) -> Cell:
    value = column.figure(record)
    best = column.better is not None and record.finished and _is_best(column, value, _peers(record, records))
    return Cell(column.write(value), best, column.note(record))


def _peers(record: RunRecord, records: Sequence[RunRecord]) -> list[RunRecord]:
    return [other for other in records if other.finished and data_of(other) == data_of(record)]


def _is_best(column: Column, value: float | None, peers: Sequence[RunRecord]) -> bool:
    figures = [column.figure(peer) for peer in peers]
    known = [each for each in figures if each is not None and isfinite(each)]
    assert column.better is not None
    return len(set(known)) > 1 and value == column.better(known)


def data_of(record: RunRecord) -> tuple[str, int]:
    """Name and number of test images: runs with the same can be compared."""
    return Path(str(record.setting("data.name"))).name, int(record.setting("data.test_images"))


def summary(records: Sequence[RunRecord]) -> list[str]:
    """A sentence or two for each data set: the best run, its errors, and what it took."""
    groups: dict[tuple[str, int], list[RunRecord]] = {}
    for record in records:
        groups.setdefault(data_of(record), []).append(record)
    return [_sentences(data, group) for data, group in groups.items()]


def _sentences(data: tuple[str, int], group: Sequence[RunRecord]) -> str:
    scored = sorted((r for r in group if r.scores is not None), key=lambda r: r.scores.top1_error if r.scores else 1)
    left = [r.name for r in group if not r.finished]
    open_ends = f" Not finished: {', '.join(left)}." if left else ""
    if not scored or scored[0].scores is None:
        return f"On {data[0]} no run has been scored yet.{open_ends}"
    best, scores = scored[0], scored[0].scores
    wrong = scores.images - int(np.trace(scores.confusion))
    among = f"Of {len(group)} runs on {data[0]}, {best.name} is the best: it" if len(group) > 1 else f"{best.name}"
    text = (
        f"{among} gets {wrong:,} of {scores.images:,} test images of {data[0]} wrong"
        f" (top-1 error {percent(scores.top1_error)}) after {epochs_done(best)} epochs,"
        f" {duration(best.seconds)} of training{_chosen(best)}."
    )
    if len(group) > 1:
        text = text.replace(f" test images of {data[0]}", " test images")
    if len(scored) > 1:
        others = [f"{r.name} {percent(r.scores.top1_error)}" for r in scored[1:4] if r.scores is not None]
        more = f" and {len(scored) - 4} more" if len(scored) > 4 else ""
        text += f" Next: {', '.join(others)}{more}."
    return text + open_ends


def _chosen(record: RunRecord) -> str:
    """How the weights were chosen, where validation did."""
    if not record.best_step:
        return ""
    ended = "; the run then stopped early" if record.stopped_early else ""
    return f", with the weights of {_of_best(record)}, the best on the validation images{ended}"


def differing_settings(records: Sequence[RunRecord]) -> list[tuple[str, list[str]]]:
    """(path, value in every run) of each setting that is not the same in all; of all main settings for a single run."""
    trees = [dict(leaves(record.run)) for record in records]
    paths = list(dict.fromkeys(path for tree in trees for path in tree))
    if len(trees) == 1:
        chosen = [path for path in paths if not path.startswith(_DERIVED)]
    else:
        chosen = [path for path in paths if any(tree.get(path) != trees[0].get(path) for tree in trees)]
    return [(path, [_setting(tree, path) for tree in trees]) for path in chosen]


def _setting(tree: dict[str, Any], path: str) -> str:
    if path not in tree:
        return MISSING
    value = tree[path]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = {"null": "none", "true": "yes", "false": "no", "{}": "none"}.get(text, text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def class_rows(scores: ClassificationScores) -> list[ClassRow]:
    """A row a class, in the order of the classes."""
    counts = scores.confusion.sum(axis=1)
    rows = zip(scores.classes, counts, scores.recall, scores.precision, strict=True)
    return [
        ClassRow(name, int(images), percent(recall), _bar(recall), percent(precision), _bar(precision))
        for name, images, recall, precision in rows
    ]


def hardest(rows: Sequence[ClassRow], *, many: int = 30, few: int = 15) -> list[ClassRow]:
    """The `few` classes with images that have the lowest recall, worst first, where there are more than `many`."""
    seen = [row for row in rows if row.images]
    return sorted(seen, key=lambda row: row.recall_bar)[:few] if len(rows) > many else []


def _bar(share: float) -> float:
    return round(100 * share, 2) if isfinite(share) else 0.0


def throughput(record: RunRecord) -> list[tuple[str, str]]:
    """Figures of speed; the first step holds compiling and warming up."""
    first = float(record.steps.seconds[0])
    return [
        ("images/s, median of the steps", whole(record.images_per_s)),
        ("images/s, all steps together", whole(record.steps.images.sum() / record.seconds)),
        ("training steps, all together", duration(record.seconds)),
        ("first step (start-up)", f"{duration(first)}, {100 * first / record.seconds:.1f} % of the time"),
    ]


def environment(record: RunRecord) -> list[tuple[str, str]]:
    """What it ran on, in words."""
    return [(key.replace("_", " "), _setting(record.environment, key)) for key in record.environment]
