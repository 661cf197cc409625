"""What a page says in words and tables, as rows of text: results, differing settings, throughput."""

import json
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from resvision.core.history import TEST
from resvision.core.settings import leaves
from resvision.report.record import KINDS, RunRecord

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


def rate(value: float | None) -> str:
    """At least three significant digits of what may be a few or thousands, a dash for what is not known."""
    return whole(value) if value is None or not isfinite(value) or value >= 100 else f"{value:.3g}"


def hex_colour(colour: NDArray[np.uint8]) -> str:
    """`#rrggbb` of red, green and blue, (3,)."""
    return f"#{bytes(colour).hex()}"


def duration(seconds: float) -> str:
    """`48 s`, `12.3 min` or `3.4 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _tested(name: str) -> Callable[[RunRecord], Any]:
    return lambda record: record.tested.figures[name] if record.tested else None


def _best_validation(record: RunRecord) -> float | None:
    return record.best(record.evaluations.figures[KINDS[record.task].main])


def _top5(record: RunRecord) -> float | None:
    """None with five classes or fewer, where it says nothing."""
    few = len(record.setting("data.classes") or range(6)) <= 5
    return None if few or record.tested is None else record.tested.figures["top5_error"]


def _weighted_iou(record: RunRecord) -> float | None:
    return record.segmented.frequency_weighted_iou if record.segmented is not None else None


def backbone(record: RunRecord) -> str:
    """The net of the zoo that it stands on, where it stands on one."""
    return str(record.setting("model.options.backbone") or "")


def _precision(record: RunRecord) -> str:
    return str(record.setting("machine.precision"))


def epochs_done(record: RunRecord) -> str:
    """`20`, or `7 of 20` before the end."""
    done, total = (f"{steps / record.steps_per_epoch:.1f}" for steps in (record.steps_done, record.total_steps))
    words = total if record.steps_done >= record.total_steps else f"{done} of {total}"
    return words.replace(".0", "")


def _early(record: RunRecord) -> str:
    return "stopped early" if record.stopped_early else ""


def of_best(record: RunRecord) -> str:
    """The epoch of the best validation."""
    return f"epoch {record.best_step / record.steps_per_epoch:.3g}" if record.best_step else ""


def _of_the_test(record: RunRecord) -> str:
    """What figures in a column of the test are of, before there are scores of the result."""
    tested = record.tested
    if record.scores is not None or tested is None:
        return ""
    epoch = f"epoch {tested.step / record.steps_per_epoch:.3g}"
    return epoch if tested.split == TEST else f"{tested.split}, {epoch}"


_RUN = (
    Column("model", lambda record: record.setting("model.name"), str, note=backbone),
    Column("data", lambda record: data_of(record)[0], str),
    Column("parameters", lambda record: record.parameters, whole),
    Column("epochs", epochs_done, str, note=_early),
    Column("train loss", lambda record: record.last_epoch_loss, figure, min),
)
_COST = (
    Column("test loss", _tested("loss"), figure, min, note=_of_the_test),
    Column("images/s", lambda record: record.images_per_s, rate, max, note=_precision),
    Column("time", lambda record: record.seconds, duration, min),
)
_RESULTS = {
    "classification": (
        *_RUN,
        Column("train error", lambda record: record.last_epoch_error, percent, min),
        Column("best validation error", _best_validation, percent, min, note=of_best),
        Column("top-1 error", _tested("top1_error"), percent, min, note=_of_the_test),
        Column("top-5 error", _top5, percent, min, note=_of_the_test),
        *_COST,
    ),
    "segmentation": (
        *_RUN,
        Column("train pixel error", lambda record: record.last_epoch_error, percent, min),
        Column("best validation mean IoU", _best_validation, percent, max, note=of_best),
        Column("mean IoU", _tested("mean_iou"), percent, max, note=_of_the_test),
        Column("pixel accuracy", _tested("pixel_accuracy"), percent, max, note=_of_the_test),
        Column("f.w. IoU", _weighted_iou, percent, max),
        *_COST,
    ),
}
_TEXT = {"model", "data"}


def columns(records: Sequence[RunRecord]) -> tuple[Column, ...]:
    """The columns of the results of runs of one task; the one of validation only where a run has it."""
    judged = any(record.best_step for record in records)
    return tuple(
        column for column in _RESULTS[records[0].task] if judged or not column.heading.startswith("best validation")
    )


def is_number(heading: str) -> bool:
    """Whether a column of the results holds numbers, which stand to the right."""
    return heading not in _TEXT


def result_rows(records: Sequence[RunRecord]) -> list[Row]:
    """A row a run of one task. A figure is best when no finished run on the same data is better and one is worse."""
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


def throughput(record: RunRecord) -> list[tuple[str, str]]:
    """Figures of speed; the first step holds compiling and warming up."""
    first = float(record.steps.seconds[0])
    return [
        ("images/s, median of the steps", rate(record.images_per_s)),
        ("images/s, all steps together", rate(record.steps.images.sum() / record.seconds)),
        ("training steps, all together", duration(record.seconds)),
        ("first step (start-up)", f"{duration(first)}, {100 * first / record.seconds:.1f} % of the time"),
    ]


def environment(record: RunRecord) -> list[tuple[str, str]]:
    """What it ran on, in words."""
    return [(key.replace("_", " "), _setting(record.environment, key)) for key in record.environment]
