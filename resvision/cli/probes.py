"""`resvision inspect RUN --probe NAME`: the findings of a probe in a finished run, as a table, CSV and pictures."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from resvision.cli.showings import print_showings, require_free, write_showings
from resvision.cli.weights import require_run
from resvision.core import references
from resvision.core.errors import SettingsError, unknown_name
from resvision.inspection.table import PROBES, Probe

if TYPE_CHECKING:
    from resvision.inspection.inspected import Inspection


class ProbeQuestion(NamedTuple):
    """The question of a person to runs.

    runs    their folders
    probe   its name in the table
    split   None for that which the probe usually looks at, as is `images`
    out     a folder for the pictures and the CSV
    """

    runs: Sequence[str]
    probe: str
    split: str | None
    images: int | None
    out: Path | None
    allow_code: bool


def show(question: ProbeQuestion, *, force: bool, as_json: bool, as_csv: bool, wide: bool) -> None:
    """Print the findings of a probe, and write its pictures and its CSV into a folder."""
    from resvision.kinds.forms import Showing

    probe = _probe(question)
    if question.out is not None:
        require_free(question.out, question.out / f"{question.probe}.csv", force=force)
    found = _found(probe, question)
    files = {f"{question.probe}.csv": _csv(found).encode()}
    if question.out is not None:
        names = {key: f"{question.probe}-{key}.png" if key else f"{question.probe}.png" for key in found.plots}
        files |= {names[key]: plot.png() for key, plot in found.plots.items()}
    showing = Showing(found.tables, found.lines, {}, _document(question, found), files)
    written = [] if question.out is None else write_showings([showing], question.out, force=force)
    if as_csv:
        sys.stdout.write(_csv(found))
    elif as_json:
        typer.echo(json.dumps(showing.document | {"written": [str(path) for path in written]}, indent=2))
    else:
        print_showings([showing], written, wide=wide)


def _probe(question: ProbeQuestion) -> Probe:
    """The asked probe; UnknownNameError for another, SettingsError for too many runs or another split."""
    if question.probe not in PROBES:
        raise unknown_name("probe", question.probe, PROBES)
    probe = PROBES[question.probe]
    if len(question.runs) > probe.runs:
        most = "one run" if probe.runs == 1 else f"{probe.runs} runs at most"
        raise SettingsError(f"--probe {question.probe}: takes {most}, not {len(question.runs)}")
    if question.split not in {None, "train", "test"}:
        raise SettingsError(f"--split {question.split}: a probe looks at images of train or of test")
    for run in question.runs:
        require_run(Path(run))
    return probe


def _found(probe: Probe, question: ProbeQuestion) -> "Inspection":
    from resvision.inference.load import load_quietly
    from resvision.inspection.inspected import Inspected

    runs: list[Inspected] = []
    for folder in question.runs:
        trained = load_quietly(folder, allow_code=question.allow_code)
        split = probe.split if question.split is None else question.split
        runs.append(Inspected(trained, "train" if split == "train" else "test", question.images or probe.images))
    found: Inspection = references.load(probe.function, noun="probe")(runs)
    return found


def _document(question: ProbeQuestion, found: "Inspection") -> dict[str, object]:
    return {
        "probe": question.probe,
        "runs": [*question.runs],
        "columns": [*found.columns],
        "rows": [[*row] for row in found.rows],
    }


def _csv(found: "Inspection") -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(found.columns)
    writer.writerows(found.rows)
    return stream.getvalue()
