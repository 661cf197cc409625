"""Finished runs as one page: a sentence, results, settings that differ, curves, and what each run gets wrong."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from resvision.report import tables
from resvision.report.html import render, write_page
from resvision.report.pictures import mistake_pictures
from resvision.report.plots import NUMBERS_UP_TO, colours, confusion_svg, curves_svg, judged_splits, throughput_svg
from resvision.report.read import RunRecord, read_records


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
    begun = [record for record in records if record.steps_done]
    return render(
        "page.html.j2",
        title=_title(records),
        note=note,
        summary=tables.summary(records),
        columns=[(column.heading, tables.is_number(column.heading)) for column in tables.columns(records)],
        rows=tables.result_rows(records),
        shades=shades,
        names=[record.name for record in records],
        settings=tables.differing_settings(records),
        curves=[Markup(curves_svg(begun, quantity=q, name=f"curve-{q}")) for q in ("error", "loss")] if begun else [],
        judged=" or ".join(judged_splits(begun)),
        marked=any(record.best_step for record in begun),
        in_steps=len({record.steps_per_epoch for record in begun}) > 1,
        runs=[_run_values(record, f"run{i}", shades[record.name]) for i, record in enumerate(records, start=1)],
    )


def _run_values(record: RunRecord, anchor: str, colour: str) -> dict[str, Any]:
    """What the template says of one run."""
    scores, begun = record.scores, record.steps_done > 0
    classes = tables.class_rows(scores) if scores else []
    return {
        "anchor": anchor,
        "name": record.name,
        "colour": colour,
        "status": tables.status(record),
        "line": _line(record),
        "scores": scores,
        "classes": classes,
        "hardest": tables.hardest(classes),
        "confusion": Markup(confusion_svg(scores, name=f"{anchor}-confusion")) if scores else "",
        "counted": scores is not None and len(scores.classes) <= NUMBERS_UP_TO,
        "gallery": mistake_pictures(record),
        "throughput": tables.throughput(record) if begun else [],
        "speed": Markup(throughput_svg(record, name=f"{anchor}-speed", colour=colour)) if begun else "",
        "environment": tables.environment(record),
        "json": json.dumps(record.run, indent=2, ensure_ascii=False),
    }


def _line(record: RunRecord) -> str:
    """Model, data and recipe of a run in a line."""
    counts = {"training": "train", "validation": "validation", "test": "test"}
    images = [(word, int(record.setting(f"data.{split}_images") or 0)) for word, split in counts.items()]
    shown = ", ".join(f"{count:,} {word}" for word, count in images if count)
    return (
        f"{record.setting('model.name')} on {record.setting('data.name')} ({shown} images),"
        f" recipe {record.setting('recipe')}, seed {record.setting('training.seed')}"
    )


def _title(records: Sequence[RunRecord]) -> str:
    models = list(dict.fromkeys(str(record.setting("model.name")) for record in records))
    data = list(dict.fromkeys(str(record.setting("data.name")) for record in records))
    what = _listed(models) if len(models) <= 3 else f"{len(models)} models"
    where = _listed(data) if len(data) <= 3 else f"{len(data)} data sets"
    return f"{what} on {where}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
