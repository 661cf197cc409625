"""The tables of a page as rows of text: results, differing settings, throughput, environment."""

import json
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, NamedTuple

from resvision.core.data_names import short_name
from resvision.core.history import TEST
from resvision.core.plurals import plural
from resvision.core.settings import leaves
from resvision.kinds.kind import Column, Kind, Written
from resvision.report.record import RunRecord

MISSING = "—"
_LONGEST = 120  # letters of a setting's value in a table; run.json has it whole
_VIEW = ("data.view.", "data.preprocess.")  # preprocess is what runs had before there were views
_DERIVED = ("data.classes", *_VIEW, "format")


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


class ResultColumn(NamedTuple):
    """A column of the results: a figure of a run, how it is written, and which end of it is better, if any.

    judged  whether only runs with validation images have it
    """

    heading: str
    figure: Callable[[RunRecord], Any]
    write: Callable[[Any], str]
    better: Callable[[Sequence[float]], float] | None = None
    note: Callable[[RunRecord], str] = lambda record: ""
    judged: bool = False


def percent(share: float | None) -> str:
    """A share 0..1 as `0.83 %`, a dash for what is not known."""
    return MISSING if share is None or not isfinite(share) else f"{100 * share:.2f} %"


def figure(value: float | None) -> str:
    """Four significant digits, a dash for what is not known."""
    return MISSING if value is None or not isfinite(value) else f"{value:.4g}"


def hundredths(value: float | None) -> str:
    """Two decimals, a dash for what is not known."""
    return MISSING if value is None or not isfinite(value) else f"{value:.2f}"


def whole(value: float | None) -> str:
    """A rounded number with commas, a dash for what is not known."""
    return MISSING if value is None or not isfinite(value) else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """At least three significant digits of what may be a few or thousands, a dash for what is not known."""
    return whole(value) if value is None or not isfinite(value) or value >= 100 else f"{value:.3g}"


def duration(seconds: float) -> str:
    """`48 s`, `12.3 min` or `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


WRITTEN: dict[Written, Callable[[Any], str]] = {
    "percent": percent,
    "figure": figure,
    "hundredths": hundredths,
    "whole": whole,
}
"""How a number of each form is written."""


def main_figure(kind: Kind[Any, Any, Any], value: float) -> str:
    """The figure that runs of a kind are compared by: a share in percent, another as the kind writes it."""
    return percent(value) if kind.main in kind.shares else kind.write(kind.main, value)


def speed_unit(kind: Kind[Any, Any, Any]) -> str:
    """`images/s`, or what else the samples of a kind are."""
    return f"{plural(kind.sample_noun)}/s"


def backbone(record: RunRecord) -> str:
    """The net of the zoo that a run's system stands on, "" for none."""
    return str(record.setting("model.options.backbone") or "")


def _precision(record: RunRecord) -> str:
    return str(record.setting("machine.precision"))


def epochs_done(record: RunRecord) -> str:
    """The epochs of a run: `20`, or `7 of 20` before the end."""
    done, total = (f"{steps / record.steps_per_epoch:.1f}" for steps in (record.steps_done, record.total_steps))
    words = total if record.steps_done >= record.total_steps else f"{done} of {total}"
    return words.replace(".0", "")


def epochs_in_words(record: RunRecord) -> str:
    """The epochs of a run with their noun: `1 epoch`, `7 of 20 epochs`."""
    done = epochs_done(record)
    return f"{done} {'epoch' if done == '1' else 'epochs'}"


def _early(record: RunRecord) -> str:
    return "stopped early" if record.stopped_early else ""


def of_best(record: RunRecord) -> str:
    """The epoch of the best validation, "" for none."""
    return f"epoch {record.best_step / record.steps_per_epoch:.3g}" if record.best_step else ""


def _of_the_test(record: RunRecord) -> str:
    """The epoch, and the split, of figures in a column of the test, before there are scores of the result."""
    tested = record.tested
    if record.scores is not None or tested is None:
        return ""
    epoch = f"epoch {tested.step / record.steps_per_epoch:.3g}"
    return epoch if tested.split == TEST else f"{tested.split}, {epoch}"


def _has_classes_for(column: Column, record: RunRecord) -> bool:
    """Whether a run has enough classes for a kind's column to say anything."""
    classes = record.setting("data.classes")
    return not classes or len(classes) >= column.classes


def _figure(column: Column, record: RunRecord) -> float | None:
    """The figure of a kind's column, None where the run has none, or too few classes for it to say anything."""
    if not _has_classes_for(column, record):
        return None
    if column.source == "training":
        return record.last_epoch(column.figure)
    if column.source == "validation":
        return record.best(record.evaluations.figures[column.figure])
    if column.source == "test":
        return record.tested.figures.get(column.figure) if record.tested else None
    return None if record.scores is None else getattr(record.scores, column.figure)


_NOTES = {"validation": of_best, "test": _of_the_test}


def _result_column(column: Column) -> ResultColumn:
    return ResultColumn(
        column.heading,
        lambda record: _figure(column, record),
        WRITTEN[column.written],
        min if column.better == "lower" else max,
        note=_NOTES.get(column.source, lambda record: ""),
        judged=column.source == "validation",
    )


_RUN = (
    ResultColumn("model", lambda record: record.setting("model.name"), str, note=backbone),
    ResultColumn("data", lambda record: data_of(record)[0], str),
    ResultColumn("parameters", lambda record: record.parameters, whole),
    ResultColumn("epochs", epochs_done, str, note=_early),
    ResultColumn("train loss", lambda record: record.last_epoch("loss"), figure, min),
)
_LOSS = Column("test loss", "test", "loss", "lower", "figure")
_TIME = ResultColumn("time", lambda record: record.seconds, duration, min)
_TEXT = {"model", "data"}


def columns(records: Sequence[RunRecord]) -> tuple[ResultColumn, ...]:
    """The columns of the results of runs of one task: of validation, and for many classes, only where a run has it."""
    kind, judged = records[0].kind, any(record.best_step for record in records)
    having = [column for column in kind.columns if any(_has_classes_for(column, record) for record in records)]
    of_kind = [*having, *([_LOSS] if _LOSS.figure in kind.figures else [])]
    speed = ResultColumn(speed_unit(kind), lambda record: record.images_per_s, rate, max, note=_precision)
    every = (*_RUN, *map(_result_column, of_kind), speed, _TIME)
    return tuple(column for column in every if judged or not column.judged)


def is_number(heading: str) -> bool:
    """Whether a column of the results holds numbers, which stand to the right."""
    return heading not in _TEXT


def result_rows(records: Sequence[RunRecord]) -> list[Row]:
    """A row for each run of one task; the best of finished runs on the same data is marked if another one is worse."""
    return [
        Row(record.name, status(record), tuple(_cell(column, record, records) for column in columns(records)))
        for record in records
    ]


def status(record: RunRecord) -> str:
    """The state of a run: "" where it is finished, `unfinished` or `not started` otherwise."""
    if record.finished:
        return ""
    return "unfinished" if record.steps_done else "not started"


def _cell(column: ResultColumn, record: RunRecord, records: Sequence[RunRecord]) -> Cell:
    value = column.figure(record)
    best = column.better is not None and record.finished and _is_best(column, value, _peers(record, records))
    return Cell(column.write(value), best, column.note(record))


def _peers(record: RunRecord, records: Sequence[RunRecord]) -> list[RunRecord]:
    return [other for other in records if other.finished and data_of(other) == data_of(record)]


def _is_best(column: ResultColumn, value: float | None, peers: Sequence[RunRecord]) -> bool:
    figures = [column.figure(peer) for peer in peers]
    finite = [figure for figure in figures if figure is not None and isfinite(figure)]
    assert column.better is not None
    return len(set(finite)) > 1 and value == column.better(finite)


def data_of(record: RunRecord) -> tuple[str, int]:
    """Name and number of test images: runs with the same can be compared."""
    return short_name(str(record.setting("data.name"))), int(record.setting("data.test_images"))


def grouped_settings(record: RunRecord) -> list[tuple[str, list[tuple[str, str]]]]:
    """(group, its settings by their paths) of a run, but for what its data decide."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for path, (value,) in differing_settings([record]):
        group, _, rest = path.partition(".")
        groups.setdefault(group if rest else "run", []).append((path, value))
    return list(groups.items())


def differing_settings(records: Sequence[RunRecord]) -> list[tuple[str, list[str]]]:
    """(path, value in every run) of each setting that is not the same in all; of all main settings for a single run.

    Of views, only what all runs say: those of before and after there were views say the same in other words.
    """
    trees = [dict(leaves(record.run)) for record in records]
    paths = list(dict.fromkeys(path for tree in trees for path in tree))
    if len(trees) == 1:
        chosen = [path for path in paths if not path.startswith(_DERIVED)]
    else:
        chosen = [
            path
            for path in paths
            if any(tree.get(path) != trees[0].get(path) for tree in trees)
            and (not path.startswith(_VIEW) or all(path in tree for tree in trees))
        ]
    return [(path, [_setting(tree, path) for tree in trees]) for path in chosen]


def _setting(tree: dict[str, Any], path: str) -> str:
    if path not in tree:
        return MISSING
    value = tree[path]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = {"null": "none", "true": "yes", "false": "no", "{}": "none"}.get(text, text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def throughput(record: RunRecord) -> list[tuple[str, str]]:
    """Figures of speed; the first step holds compiling and warming up."""
    first, unit = float(record.steps.seconds[0]), speed_unit(record.kind)
    return [
        (f"{unit}, median of the steps", rate(record.images_per_s)),
        (f"{unit}, all steps together", rate(record.steps.images.sum() / record.seconds)),
        ("training steps, all together", duration(record.seconds)),
        ("first step (start-up)", f"{duration(first)}, {100 * first / record.seconds:.1f} % of the time"),
    ]


def environment(record: RunRecord) -> list[tuple[str, str]]:
    """Names and values of the machine and the versions that a run was made with."""
    return [(key.replace("_", " "), _setting(record.environment, key)) for key in record.environment]
