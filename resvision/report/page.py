"""Runs as one page: a sentence, results, settings that differ, curves, and the worst test images of each run."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from resvision.core import rundir
from resvision.core.plurals import plural
from resvision.report import tables
from resvision.report.class_tables import class_values
from resvision.report.data_section import data_sections
from resvision.report.html import render, write_page
from resvision.report.moved_data import record_at
from resvision.report.pictures import gallery_of
from resvision.report.plots import WIDTH_IN, curves_svg, judged_splits, settings_curves, throughput_svg
from resvision.report.read import read_records
from resvision.report.record import RunRecord
from resvision.report.short_paths import without_places
from resvision.report.summaries import summary
from resvision.report.svg import colours, inline


def write_report(
    folders: Sequence[Path],
    out: Path,
    *,
    note: str = "",
    data: str | Path | None = None,
    root: str | Path | None = None,
    columns: Sequence[str] | None = None,
    allow_code: bool = False,
    watch: Callable[[int, int], None] = lambda done, pieces: None,
) -> Path:
    """Write one self-contained page about the runs in these directories to `out`; the path.

    note        a sentence or two of plain text that stand above all else
    data, root  where data of the runs lie now, if they have moved; other data are looked for at their own places
    columns     of a table of images that `data` names
    allow_code  import tasks, data sets and models of a user's own that the runs name
    watch       takes the number of pieces of the page that are made so far, and of all

    A run need not be finished. Raises RunError for a directory that is missing or damaged, for a task of a user's own
    without `allow_code`, and where `out` cannot be written or is not a page of ours.
    """
    records = [record_at(record, data, root, columns) for record in read_records(folders, allow_code=allow_code)]
    return write_page(out, report_html(records, note=note, allow_code=allow_code, watch=watch))


def linked_page(folder: Path, page: Path) -> str:
    """Write the page of a run into its folder unless one of its scores is there; its address from another `page`.

    Code of a user's own is run: whoever asked for the other page has named it.
    """
    own, scores = folder / rundir.REPORT, folder / rundir.EVALUATION
    if not own.is_file() or own.stat().st_mtime < scores.stat().st_mtime:
        write_report([folder], own, allow_code=True)
    return quote(os.path.relpath(own, page.parent))


def report_html(
    records: Sequence[RunRecord],
    *,
    note: str = "",
    allow_code: bool = False,
    watch: Callable[[int, int], None] = lambda done, pieces: None,
) -> str:
    """The page as text; equal records give equal text while the data they name is the same.

    Without `allow_code`, a sentence stands for pictures from data sets and nets that are a user's own code.
    """
    shades = colours([record.name for record in records])
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(record.task_name, []).append(record)
    anchors = {record.name: f"run{i}" for i, record in enumerate(records, start=1)}
    return render(
        "page.html.j2",
        without=without_places(records),
        title=_title(records),
        note=note,
        summary=summary(records),
        groups=[_group_values(group, f"group{i}", shades) for i, group in enumerate(groups.values(), start=1)],
        data=data_sections(records, allow_code=allow_code),
        shades=shades,
        anchors=anchors,
        names=[record.name for record in records],
        settings=tables.differing_settings(records),
        groups_of_settings=tables.grouped_settings(records[0]) if len(records) == 1 else [],
        runs=[
            _run_values(record, anchors[record.name], shades[record.name], allow_code=allow_code, advance=advance)
            for record, advance in _watched(records, watch)
        ],
    )


def _pieces(record: RunRecord) -> int:
    """The pieces of work on a run: each of its worst images, once shown and once explained, and the rest."""
    return 1 if record.scores is None else 1 + 2 * len(record.kind.worst(record.scores))


def _watched(
    records: Sequence[RunRecord], watch: Callable[[int, int], None]
) -> Iterator[tuple[RunRecord, Callable[[], None]]]:
    """Yield the records, each with what is called after a piece of its work, and tell `watch` how many are done."""
    done, total = 0, sum(map(_pieces, records))

    def advance() -> None:
        nonlocal done
        done += 1
        watch(done, total)

    watch(done, total)
    for record in records:
        before = done
        yield record, advance
        done = before + _pieces(record)  # also those that were left out
        watch(done, total)


def _group_values(records: Sequence[RunRecord], name: str, shades: dict[str, str]) -> dict[str, Any]:
    """The values of the template for all runs of a task; ids of their plots begin with `name`."""
    kind, begun = records[0].kind, [record for record in records if record.steps_done]
    curves = (*kind.curves, *settings_curves(begun)) if begun else ()
    width_in = 0.75 * WIDTH_IN if len(curves) == 3 else WIDTH_IN
    return {
        "task": kind.name,
        "footnote": kind.footnote,
        "metrics": [*map(kind.noun, kind.metrics)],
        "samples": plural(kind.sample_noun),
        "smoothed": any(record.setting("loss.label_smoothing") for record in records),
        "columns": [(column.heading, tables.is_number(column.heading)) for column in tables.columns(records)],
        "rows": tables.result_rows(records),
        "curves": [
            inline(curves_svg(begun, curve=curve, name=f"{name}-curve{i}", shades=shades, width_in=width_in))
            for i, curve in enumerate(curves, start=1)
        ],
        "judged": " or ".join(judged_splits(begun)),
        "marked": any(record.best_step for record in begun),
        "in_steps": len({record.steps_per_epoch for record in begun}) > 1,
    }


def _run_values(
    record: RunRecord, anchor: str, colour: str, *, allow_code: bool, advance: Callable[[], None]
) -> dict[str, Any]:
    """The values of the template for one run."""
    begun, kind = record.steps_done > 0, record.kind
    return {
        "anchor": anchor,
        "name": record.name,
        "colour": colour,
        "status": tables.status(record),
        "line": _line(record),
        **class_values(kind, record.scores, name=f"{anchor}-confusion", data=str(record.setting("data.name"))),
        "worst_title": kind.worst_title,
        "worst_note": kind.worst_note,
        "gallery": gallery_of(record, allow_code=allow_code, advance=advance),
        "throughput": tables.throughput(record) if begun else [],
        "speed": inline(throughput_svg(record, name=f"{anchor}-speed", colour=colour)) if begun else "",
        "environment": tables.environment(record),
        "json": json.dumps(record.run, indent=2, ensure_ascii=False),
    }


def _line(record: RunRecord) -> str:
    """Model, data and recipe of a run in a line."""
    counts = {"training": "train", "validation": "validation", "test": "test"}
    images = [(word, int(record.setting(f"data.{split}_images") or 0)) for word, split in counts.items()]
    shown = ", ".join(f"{count:,} {word}" for word, count in images if count)
    noun = plural(record.kind.sample_noun)
    backbone = tables.backbone(record)
    over = f" over {backbone}" if backbone else ""
    return (
        f"{record.setting('model.name')}{over} on {record.setting('data.name')} ({shown} {noun}),"
        f" recipe {record.setting('recipe')}, seed {record.setting('training.seed')}"
    )


def _title(records: Sequence[RunRecord]) -> str:
    models = list(dict.fromkeys(str(record.setting("model.name")) for record in records))
    data = list(dict.fromkeys(tables.data_of(record)[0] for record in records))
    models_text = _listed(models) if len(models) <= 3 else f"{len(models)} models"
    data_text = _listed(data) if len(data) <= 3 else f"{len(data)} data sets"
    return f"{models_text} on {data_text}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
