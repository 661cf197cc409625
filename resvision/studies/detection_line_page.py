"""The page of the line of detectors, and its tables for a terminal."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from resvision import catalog
from resvision.core.plurals import counted, length_in_words
from resvision.core.references import is_reference
from resvision.papers.results import BOXES
from resvision.report.html import render, write_page
from resvision.report.page import linked_page
from resvision.report.short_paths import without_places
from resvision.report.svg import inline
from resvision.report.tables import MISSING, duration, percent, whole
from resvision.studies.detection_line import DetectionLine, Row
from resvision.studies.detection_plots import (
    ONE_STAGE,
    TWO_STAGES,
    bars_svg,
    milliseconds,
    shares_svg,
    speed_svg,
    stages_of,
)
from resvision.studies.experiment_page import verdict_rows as verdict_rows
from resvision.studies.spreads import mean_and_spread

SEARCH = "search, ms"
HEADER = ("system", "stages", "seeds", "AP", "AP50", "training", "ms an image", SEARCH, "proposals", "parameters")
LEAST = ("parameters", "seeds", "proposals")
"""The columns that a narrow terminal leaves out first."""

ABOUT = (
    "Training counts steps and fits, without evaluations. Times are of one image at a time, the fastest of three looks,"
    " the mean over the images; the search for regions is apart, in the image as it is stored, one for all systems."
    " Nets that are given regions have so many places for them, and compute all, filled or not. With two seeds or more"
    " AP is the mean over them ± the standard deviation of one run, and times are those of the first."
)

QUESTION = (
    "R-CNN looks at some two thousand regions of an image one by one. SPP-net computes the maps of the image once, Fast"
    " R-CNN trains all its layers together, Faster R-CNN finds the regions in the maps as well; systems of one stage"
    " look at no regions at all. Where does each spend its time, and what does it pay in AP?"
)


def header(study: DetectionLine) -> tuple[str, ...]:
    """The headings of the table of systems; that of the search where some system searches."""
    return tuple(name for name in HEADER if name != SEARCH or _searches(study))


def table(study: DetectionLine) -> list[tuple[str, ...]]:
    """Rows under `header`."""
    shown = header(study)
    return [tuple(cell for name, cell in zip(HEADER, _cells(row), strict=True) if name in shown) for row in study.rows]


def stage_header(study: DetectionLine) -> tuple[str, ...]:
    """The headings of the table of stages: those that some system has."""
    return ("system", *stages_of(study.rows), "together")


def stage_table(study: DetectionLine) -> list[tuple[str, ...]]:
    """Milliseconds an image under `stage_header`."""
    return [
        (
            row.model,
            *(milliseconds(row.stage_ms[stage]) if stage in row.stage_ms else "" for stage in stages_of(study.rows)),
            milliseconds(row.ms),
        )
        for row in study.rows
    ]


def what_to_see(study: DetectionLine) -> list[str]:
    """Sentences from the measured figures: the slowest and the fastest system, and the best of each kind."""
    rows = study.rows
    slow, fast = max(rows, key=lambda row: row.ms), min(rows, key=lambda row: row.ms)
    stage, ms = max(slow.stage_ms.items(), key=lambda item: item[1])
    sentences = [
        f"{slow.model} takes {milliseconds(slow.ms)} ms for an image, {100 * ms / slow.ms:.0f} % of them in"
        f" {stage}; {fast.model}, the fastest, {milliseconds(fast.ms)} ms."
    ]
    kinds = [("two stages", True), ("one stage", False)]
    best = {
        noun: max(group, key=lambda row: float(np.mean(row.ap)))
        for noun, two in kinds
        if (group := [row for row in rows if row.two_stages == two])
    }
    told = [f"of {noun} {row.model}, {percent(float(np.mean(row.ap)))}" for noun, row in best.items()]
    return [*sentences, f"The highest AP: {'; '.join(told)}."]


def write_line(study: DetectionLine, path: Path) -> Path:
    """Write the study as one self-contained page; the path."""
    records = [outcome.record for row in study.rows for outcome in row.outcomes]
    bars = [bars_svg(study.rows, name="searched", searched=True)] if _searches(study) else []
    bars += [bars_svg(study.rows, name="bars", searched=False), shares_svg(study.rows, name="shares")]
    html = render(
        "detection_line.html.j2",
        title=f"From R-CNN to RefineDet on {study.data}",
        question=QUESTION,
        lead=" ".join(what_to_see(study)),
        setting=_setting(study),
        speed=inline(speed_svg(study.rows, name="speed", data=study.data)),
        bars=[inline(svg) for svg in bars],
        header=header(study),
        rows=table(study),
        shades={row.model: TWO_STAGES if row.two_stages else ONE_STAGE for row in study.rows},
        pages={row.model: linked_page(row.outcomes[0].record.folder, path) for row in study.rows},
        stage_header=stage_header(study),
        stage_rows=stage_table(study),
        about=ABOUT,
        verdicts=verdict_rows(study.verdicts),
        papers=paper_rows(study.rows),
        settings=setting_rows(study.rows),
        without=without_places(records),
    )
    return write_page(path, html)


def paper_rows(rows: Sequence[Row]) -> list[tuple[str, str, str, str, str]]:
    """(system, net, figure, images, source) of what papers report of nets of the same paper as ours."""
    nets = {row.model: row.outcomes[0].trial.run.model.name for row in rows}
    papers = {model: catalog.find(net).paper for model, net in nets.items() if not is_reference(net)}
    return [
        (model, published.net, *_published(published.percents), published.data, published.where)
        for model, paper in papers.items()
        for published in BOXES
        if catalog.find(published.net).paper == paper
    ]


def setting_rows(rows: Sequence[Row]) -> list[tuple[str, str, str, str, str]]:
    """(system, backbone, side of the images, length, recipe) of each system."""
    trials = [(row.model, row.outcomes[0].trial) for row in rows]
    return [
        (
            model,
            str(trial.run.model.options.get("backbone") or "of its own"),
            f"{trial.run.data.image_size or MISSING} px",
            length_in_words(trial.first_run.training.duration)
            + (f", the first of {len(trial.phases)} phases" if trial.phases else ""),
            trial.run.recipe,
        )
        for model, trial in trials
    ]


def _searches(study: DetectionLine) -> bool:
    return "search" in stages_of(study.rows)


def _cells(row: Row) -> tuple[str, ...]:
    search = row.stage_ms.get("search")
    return (
        row.model,
        "two" if row.two_stages else "one",
        str(len(row.ap)),
        mean_and_spread(row.ap, percent),
        mean_and_spread(row.ap50, percent),
        duration(float(np.mean(row.seconds))),
        milliseconds(row.net_ms),
        "" if search is None else milliseconds(search),
        "" if row.proposals is None else whole(row.proposals),
        whole(row.outcomes[0].record.parameters),
    )


def _published(percents: dict[str, float | None]) -> tuple[str]:
    names = {"ap": "AP", "ap50": "AP50", "voc07": "mAP"}
    return (", ".join(f"{names[name]}\u00a0{value:g}\u00a0%" for name, value in percents.items() if value is not None),)


def _setting(study: DetectionLine) -> str:
    record = study.rows[0].outcomes[0].record
    images, test = (int(record.setting(f"data.{split}_images")) for split in ("train", "test"))
    timed = len(study.rows[0].times)
    given = [row.model for row in study.rows if row.two_stages and not {"search", "proposals"} & row.stage_ms.keys()]
    of_file = f" {' and '.join(given)}: regions of a file, whose search is not counted." if given else ""
    cpu = str(record.environment.get("cpu") or "an unknown processor")
    machine = cpu if record.setting("machine.device") == "cpu" else "a GPU"
    return (
        f"{counted(len(study.rows), 'system')}, trained on the {images:,} training images of {study.data} and judged on"
        f" {counted(test, 'test image')}; times are of {counted(timed, 'test image')}, on"
        f" {machine} with {counted(study.threads, 'thread')}.{of_file}"
    )
