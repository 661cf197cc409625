"""The page of a study, made of its design and its results alone, and its tables for a terminal."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from resvision.core import references
from resvision.core.plurals import counted
from resvision.kinds.table import kind_of
from resvision.report.html import render, write_page
from resvision.report.page import linked_page
from resvision.report.short_paths import without_folders
from resvision.report.svg import colours, inline
from resvision.report.tables import MISSING, duration, figure, main_figure, percent, whole
from resvision.studies.design import Column, Design, Drawing, Form, Lines, Value
from resvision.studies.experiment_plots import lines_svg
from resvision.studies.results import Results, is_share
from resvision.studies.spreads import mean_and_spread
from resvision.studies.verdicts import CONFIDENCE, Verdict

ABOUT = (
    "Training figures are means over the last epoch, on augmented data while the weights change. With two seeds or"
    " more a figure is the mean over them ± the standard deviation of one run."
)
LEAST = ("time a run", "seeds", "published")
"""The columns that a narrow terminal leaves out first."""

_WRITTEN: dict[Form, Callable[[float], str]] = {
    "share": percent,
    "number": figure,
    "count": whole,
    "ms": lambda value: (
        MISSING if not math.isfinite(value) else f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"
    ),
    "seconds": lambda value: MISSING if not math.isfinite(value) else duration(value),
}


def header(design: Design, results: Results) -> tuple[str, ...]:
    """The headings of the table."""
    return ("condition", "seeds", *(column.heading for column in _columns(design, results)), *_published(design))


def table(design: Design, results: Results) -> list[tuple[str, ...]]:
    """Rows under `header`: means over the seeds, with the standard deviation from two seeds on."""
    columns, published = _columns(design, results), {c.name: c.published for c in design.conditions}
    rows = []
    for condition in results.conditions:
        cells = (_cell(results, condition, column) for column in columns)
        paper = (published.get(condition) or MISSING,) if _published(design) else ()
        rows.append((condition, str(len(results.of(condition))), *cells, *paper))
    return rows


def what_to_see(design: Design, results: Results) -> str:
    """The sentences of the design, and the best and the worst condition of each task in one."""
    return " ".join([design.lead, *(sentence for part in results.by_task() if (sentence := _extremes(part)))])


def _extremes(results: Results) -> str:
    """The best and the worst condition in a sentence, "" where there is one."""
    kind = results.kind
    means = {name: mean for name in results.conditions if math.isfinite(mean := results.mean(name, "tested"))}
    if len(means) < 2:
        return ""
    best, *_, worst = sorted(means, key=lambda name: means[name], reverse=kind.higher_is_better)
    written = [main_figure(kind, means[name]) for name in (best, worst)]
    return f"The test {kind.main_name} is {written[0]} under {best}, and {written[1]} under {worst}."


def notes(design: Design, results: Results) -> list[str]:
    """Sentences that a reader needs beside the verdicts: several claims, members that diverged, a quick study."""
    lines = [
        f"{member.folder} diverged, and is left out: {member.diverged}" for member in results.members if member.diverged
    ]
    if results.quick:
        lines.append(
            "This is a quick study, of smaller nets and shorter trainings: its verdicts are about these alone."
        )
    if len(design.claims) > 1:
        chance = (1 - CONFIDENCE) * len(design.claims)
        lines.append(
            f"{counted(len(design.claims), 'claim')} are tested here, each at {CONFIDENCE:.0%}: were there no"
            f" difference in any, {chance:.2g} of them would be decided by chance."
        )
    return lines


def verdict_rows(verdicts: Sequence[Verdict], *, shares: Sequence[bool] = ()) -> list[tuple[str, str, str]]:
    """(claim, word, by how much) of each verdict.

    shares  whether the figures of each claim are shares 0..1, whose difference is written in percentage points
    """
    padded = [*shares, *[False] * (len(verdicts) - len(shares))]
    return [
        (verdict.claim, verdict.word, amount(_in_points(verdict) if is_share else verdict))
        for verdict, is_share in zip(verdicts, padded, strict=True)
    ]


def are_shares(design: Design, results: Results) -> list[bool]:
    """Whether the figures of each claim are shares, as far as the kind or the design says so."""
    kinds = {condition: part.kind for part in results.by_task() for condition in part.conditions}

    def is_one(value: Value | float) -> bool:
        return (
            isinstance(value, Value)
            and value.condition in kinds
            and is_share(value.figure, design, kinds[value.condition])
        )

    return [is_one(claim.smaller) or is_one(claim.larger) for claim in design.claims]


def _in_points(verdict: Verdict) -> Verdict:
    return replace(verdict, unit="points", mean=100 * verdict.mean, standard_error=100 * verdict.standard_error)


def amount(verdict: Verdict) -> str:
    """The mean difference with its standard error, and how many pairs would decide an undecided claim."""
    unit = f" {verdict.unit}" if verdict.unit else ""
    pairs = f"one {verdict.pair}" if verdict.pairs == 1 else counted(verdict.pairs, verdict.pair)
    if math.isnan(verdict.mean):
        return f"no {verdict.pair} has both figures"
    mean = f"{verdict.mean:+.2f}" if verdict.unit == "points" else f"{verdict.mean:+.4g}"
    if math.isnan(verdict.standard_error):
        return f"{mean}{unit} with {pairs}, which decides nothing"
    needed = f"; {verdict.needed:,} would decide it at this spread" if verdict.needed else ""
    if verdict.unit == "points":
        return f"{mean} ± {verdict.standard_error:.2g} points over {pairs}{needed}"
    return f"{mean}{unit} ± {verdict.standard_error:.2g} over {pairs}{needed}"


def write_study(design: Design, results: Results, path: Path, folder: Path | None = None) -> Path:
    """Write the study as one self-contained page; the path.

    folder  of the members, whose pages are linked; None where they are not at hand
    """
    parts = results.by_task()
    html = render(
        "study.html.j2",
        title=f"{design.title}, on {' and '.join(dict.fromkeys(part.data for part in parts))}",
        question=design.question,
        paper=design.paper,
        lead=what_to_see(design, results),
        tables=[(_of_task(part, parts), header(design, part), table(design, part)) for part in parts],
        runs=_runs(results, path, folder),
        main=" or ".join(dict.fromkeys(f"test {part.kind.main_name}" for part in parts)),
        without=without_folders([results.settings], [] if folder is None else [folder]),
        shades=colours(results.conditions),
        about=ABOUT,
        machine=f"{results.machine}, {results.date}",
        verdicts=verdict_rows(results.verdicts(design), shares=are_shares(design, results)),
        notes=notes(design, results),
        settings=json.dumps(results.settings, indent=2, ensure_ascii=False),
        plots=[inline(svg) for svg in plots(design, results)],
    )
    return write_page(path, html)


def plots(design: Design, results: Results) -> list[str]:
    """The plots of every study, and the design's own, as <svg> or HTML."""
    shades, drawn = colours(results.conditions), []
    for number, plot in enumerate(design.plots):
        if isinstance(plot, Drawing):
            function = references.load(plot.function, noun="drawing")
            with references.own_code(plot.function):
                drawn.append(function(results, name=f"plot-{number}"))
        elif (svg := lines_svg(plot, results, name=f"plot-{number}", shades=shades)) is not None:
            drawn.append(svg)
    parts = results.by_task()
    for place, part in enumerate(parts):
        for number, lines in enumerate(_usual_plots(part, _of_task(part, parts))):
            svg = lines_svg(lines, part, name=f"task-{place}-{number}", shades=shades)
            drawn += [] if svg is None else [svg]
    return drawn


def _usual_plots(results: Results, task: str) -> list[Lines]:
    """The curves of every study, of one task."""
    kind, of_task, main = results.kind, f", {task}" if task else "", results.kind.main_name
    noun = kind.noun(kind.metrics[0]) if kind.metrics else ""
    curves = [Lines(f"Training loss{of_task}", "train.epoch", "train.loss", "epochs", "training loss", log="y")]
    if noun:
        curves.append(Lines(f"Training {noun}{of_task}", "train.epoch", "train.trained", "epochs", f"training {noun}"))
    tested = Lines(f"Test {main}{of_task}", "tested.epoch", "tested.tested", "epochs", f"test {main}")
    is_curve = any(len(member.series.get("tested.epoch", ())) > 1 for member in results.members)
    return [*curves, tested] if is_curve else curves  # where a net is tested once, the table has it


def _of_task(part: Results, parts: Sequence[Results]) -> str:
    """The task of a part, where there are several."""
    return part.task if len(parts) > 1 else ""


def _columns(design: Design, results: Results) -> list[Column]:
    """The columns of figures: those of training, those that the task compares, the design's own, the time."""
    kind, names = results.kind, {name for member in results.members for name in member.figures}
    trained = [Column("trained", f"training {kind.noun(kind.metrics[0])}")] if kind.metrics else []
    compared = [Column(name, kind.noun(name)) for name in kind.compared if name in names]
    return [
        Column("loss", "training loss"),
        *trained,
        *compared,
        *design.columns,
        Column("seconds", "time a run", "seconds"),
    ]


def _cell(results: Results, condition: str, column: Column) -> str:
    values = results.figure(condition, column.figure)
    known = values[np.isfinite(values)].tolist()
    return mean_and_spread(known, _writer(results, column)) if known else MISSING


def _writer(results: Results, column: Column) -> Callable[[float], str]:
    kind = results.kind
    name = kind.metrics[0] if column.figure == "trained" else column.figure
    if name in kind.shares:
        return percent
    return partial(kind.write, name) if column.figure in {"trained", *kind.compared} else _WRITTEN[column.form]


def _published(design: Design) -> tuple[str, ...]:
    return ("published",) if any(condition.published for condition in design.conditions) else ()


def _runs(results: Results, path: Path, folder: Path | None) -> list[tuple[str, str, str]]:
    """(name, address of its page, main figure) of each member; no address where the folder is not at hand."""
    rows = []
    for member in results.members:
        tested = member.figures.get("tested")
        value = "diverged" if tested is None else main_figure(kind_of(member.task or results.task), tested)
        place = None if folder is None else folder / member.folder
        page = linked_page(place, path) if place is not None and tested is not None else ""
        is_elsewhere = member.folder.startswith(("..", "/"))  # of a comparison of runs from anywhere
        rows.append((Path(member.folder).name if is_elsewhere else member.folder, page, value))
    return rows
