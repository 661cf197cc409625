"""Finished runs as one page: a sentence, results, settings that differ, curves, and what each run gets wrong."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from resvision.report import tables
from resvision.report.class_tables import class_table
from resvision.report.confusions import NUMBERS_UP_TO, PERCENT_UP_TO, confusion_svg, pixel_confusion_svg
from resvision.report.html import render, write_page
from resvision.report.mask_pictures import WRONG, worst_label_maps
from resvision.report.pictures import mistake_pictures
from resvision.report.plots import WIDTH_IN, Quantity, curves_svg, judged_splits, throughput_svg
from resvision.report.read import read_records
from resvision.report.record import RunRecord
from resvision.report.summaries import summary
from resvision.report.svg import colours

_CURVES: dict[str, tuple[Quantity, ...]] = {
    "classification": ("error", "loss"),
    "segmentation": ("mean IoU", "error", "loss"),
}


def write_report(folders: Sequence[Path], out: Path, *, note: str = "") -> Path:
    """Write one self-contained page about the runs in these directories to `out`; the path.

    `note` is a sentence or two of plain text that stand above all else. A run need not be finished. Raises RunError
    for a directory that is missing or damaged, and where `out` cannot be written or is not a page of ours.
    """
    records = read_records(folders)
    return write_page(out, report_html(records, note=note))


def report_html(records: Sequence[RunRecord], *, note: str = "") -> str:
    """The page as text; equal records give equal text while the data they name is the same."""
    shades = colours([record.name for record in records])
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(record.task, []).append(record)
    anchors = {record.name: f"run{i}" for i, record in enumerate(records, start=1)}
    return render(
        "page.html.j2",
        title=_title(records),
        note=note,
        summary=summary(records),
        groups=[_group_values(task, group, shades) for task, group in groups.items()],
        shades=shades,
        anchors=anchors,
        names=[record.name for record in records],
        settings=tables.differing_settings(records),
        wrong=tables.hex_colour(np.array(WRONG, dtype=np.uint8)),
        runs=[_run_values(record, anchors[record.name], shades[record.name]) for record in records],
    )


def _group_values(task: str, records: Sequence[RunRecord], shades: dict[str, str]) -> dict[str, Any]:
    """What the template says of all runs of a task."""
    begun = [record for record in records if record.steps_done]
    quantities = _CURVES[task] if begun else ()
    width_in = WIDTH_IN if len(quantities) < 3 else 0.75 * WIDTH_IN
    return {
        "task": task,
        "columns": [(column.heading, tables.is_number(column.heading)) for column in tables.columns(records)],
        "rows": tables.result_rows(records),
        "curves": [
            Markup(curves_svg(begun, quantity=quantity, name=_id(task, quantity), shades=shades, width_in=width_in))
            for quantity in quantities
        ],
        "judged": " or ".join(judged_splits(begun)),
        "marked": any(record.best_step for record in begun),
        "in_steps": len({record.steps_per_epoch for record in begun}) > 1,
    }


def _id(*words: str) -> str:
    return "-".join(words).replace(" ", "-")


def _run_values(record: RunRecord, anchor: str, colour: str) -> dict[str, Any]:
    """What the template says of one run."""
    begun = record.steps_done > 0
    return {
        "anchor": anchor,
        "name": record.name,
        "colour": colour,
        "task": record.task,
        "status": tables.status(record),
        "line": _line(record),
        "classes": class_table(record.scores) if record.scores is not None else None,
        **_confusion(record, f"{anchor}-confusion"),
        "gallery": worst_label_maps(record) if record.task == "segmentation" else mistake_pictures(record),
        "throughput": tables.throughput(record) if begun else [],
        "speed": Markup(throughput_svg(record, name=f"{anchor}-speed", colour=colour)) if begun else "",
        "environment": tables.environment(record),
        "json": json.dumps(record.run, indent=2, ensure_ascii=False),
    }


def _confusion(record: RunRecord, name: str) -> dict[str, Any]:
    """The matrix, and whether numbers stand in it."""
    if record.segmented is not None:
        matrix, numbers_up_to = pixel_confusion_svg(record.segmented, name=name), PERCENT_UP_TO
    elif record.classified is not None:
        matrix, numbers_up_to = confusion_svg(record.classified, name=name), NUMBERS_UP_TO
    else:
        return {"confusion": "", "numbered": False}
    assert record.scores is not None, "one of the two"
    return {"confusion": Markup(matrix), "numbered": len(record.scores.classes) <= numbers_up_to}


def _line(record: RunRecord) -> str:
    """Model, data and recipe of a run in a line."""
    counts = {"training": "train", "validation": "validation", "test": "test"}
    images = [(word, int(record.setting(f"data.{split}_images") or 0)) for word, split in counts.items()]
    shown = ", ".join(f"{count:,} {word}" for word, count in images if count)
    backbone = tables.backbone(record)
    over = f" over {backbone}" if backbone else ""
    return (
        f"{record.setting('model.name')}{over} on {record.setting('data.name')} ({shown} images),"
        f" recipe {record.setting('recipe')}, seed {record.setting('training.seed')}"
    )


def _title(records: Sequence[RunRecord]) -> str:
    models = list(dict.fromkeys(str(record.setting("model.name")) for record in records))
    data = list(dict.fromkeys(tables.data_of(record)[0] for record in records))
    what = _listed(models) if len(models) <= 3 else f"{len(models)} models"
    where = _listed(data) if len(data) <= 3 else f"{len(data)} data sets"
    return f"{what} on {where}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
