"""`resvision runs`: the runs below a folder with their scores, and the removal of what finished ones do not need."""

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from resvision.cli.groups import ListingGroup
from resvision.cli.shared_options import AllowCode, AsJson
from resvision.cli.tables import Wide, new_table, print_lines, print_tables
from resvision.core.data_names import short_name
from resvision.core.errors import RunError, SettingsError

if TYPE_CHECKING:
    from resvision.core.leftovers import Leftover
    from resvision.report.run_list import ListedRun

command = typer.Typer(
    cls=ListingGroup, help="List runs with their scores, and clean up finished ones.", rich_markup_mode=None
)

Order = Literal["name", "score", "time", "size", "changed"]

RUNS = Path("runs")
"""The folder in which `resvision train` makes runs."""


@command.command("list")
def list_below(
    folder: Annotated[Path, typer.Argument(help="Search this folder, and all below it.")] = RUNS,
    sort: Annotated[
        Order, typer.Option(help="Order the runs by this; the best score and the newest come first.")
    ] = "name",
    as_json: AsJson = False,
    allow_code: AllowCode = False,
    wide: Wide = False,
) -> None:
    """List the runs below a folder.

    `resvision runs [FOLDER]` does the same. A star marks the best of the finished runs that were tested on the same
    images.
    """
    from resvision.report.run_list import list_runs, phase_folders

    runs = _sorted(list_runs(folder, allow_code=allow_code), sort)
    if as_json:
        typer.echo(json.dumps({"runs": [_document(run) for run in runs]}, indent=2, ensure_ascii=False))
        return
    if not runs:
        print_lines(f"{folder}: holds no run; `resvision train` makes one")
        return
    columns = ("run", "score", "state", "model", "data", "time", "size")
    table = new_table(*columns, numbers=("time", "size"), least=("size", "time", "data", "model"))
    for run in runs:
        table.add_row(f"{_name(run, folder)}{' *' if run.best else ''}", *_cells(run))
    print_tables(table, wide=wide)
    if any(run.best for run in runs):
        print_lines("* the best of those that were tested on the same images")
    for parent, members in phase_folders(run.folder for run in runs).items():
        done = sum(run.state == "finished" for run in runs if run.folder in members)
        print_lines(f"{parent}: one training of several phases, {done} of them done")
    for run in runs:
        if run.damage:
            print_lines(f"damaged: {run.damage}")


@command.command("clean")
def clean(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FOLDER|RUN", help="Clean these runs, or all finished ones below these folders."),
    ] = None,
    state: Annotated[
        bool, typer.Option("--state", help="Remove the optimizer's state too; the run can no longer be extended.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it without asking first.")] = False,
    allow_code: AllowCode = False,
) -> None:
    """Remove what finished runs no longer need.

    That is earlier checkpoints, the optimizer's state beside best weights, and drafts that were left by a kill. The
    weights of the result and the last checkpoint stay. Unfinished runs are left alone.
    """
    from resvision.core.leftovers import leftovers
    from resvision.report.run_list import list_runs

    runs = [run for folder in folders or [RUNS] for run in list_runs(folder, allow_code=allow_code)]
    runs = list({run.folder.resolve(): run for run in runs}.values())
    planned: dict[ListedRun, list[Leftover]] = {}
    for run in runs:
        try:
            if run.record is not None and run.state == "finished":
                planned[run] = leftovers(run.folder, state=state)
            _say_plan(run, planned.get(run))
        except RunError as error:  # damaged; the others can be cleaned
            print_lines(f"{error}, left alone")
    total = sum(leftover.size for plan in planned.values() for leftover in plan)
    before = sum(run.bytes for run in runs)
    print_lines(f"in all {size(total)} of {size(before)}, after which {size(before - total)} are left")
    if dry_run or not any(planned.values()):
        return
    if state:
        print_lines("without the state of their optimizers these runs can be used, but no longer be extended")
    if not yes:
        _ask()
    _carry_out([run for run, plan in planned.items() if plan], state=state, allow_code=allow_code)


def size(count: int) -> str:
    """A number of bytes for a person: `512 B`, `4.1 MB`."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"


def _say_plan(run: "ListedRun", plan: "list[Leftover] | None") -> None:
    """Print what goes of a run, or why it is left alone."""
    if plan is None:
        if run.record is not None or run.damage:
            print_lines(f"{run.folder}: {run.damage or run.state}, left alone")
        return
    if not plan:
        print_lines(f"{run.folder}: nothing to remove, {size(run.bytes)}")
    for leftover in plan:
        print_lines(f"{leftover.path}: {leftover.what}, {size(leftover.size)}")


def _ask() -> None:
    """Ask whether to go on; SettingsError where nobody can answer."""
    if not sys.stdin.isatty():
        raise SettingsError("runs clean: nobody can be asked here; say --yes to remove these, or --dry-run to look")
    typer.confirm("remove them?", abort=True)


def _carry_out(runs: "list[ListedRun]", *, state: bool, allow_code: bool) -> None:
    """Clean the runs; one that cannot be cleaned is named, the others go on, and the exit code is 1."""
    from resvision.core.leftovers import clean as clean_run

    removed, failed = 0, False
    for folder in (run.folder for run in runs):
        try:
            gone = clean_run(folder, state=state, finished=partial(_is_finished, folder, allow_code=allow_code))
            removed += sum(leftover.size for leftover in gone)
        except RunError as error:
            print(f"resvision: {error}", file=sys.stderr)
            failed = True
    print_lines(f"removed {size(removed)}")
    if failed:
        raise typer.Exit(1)


def _is_finished(folder: Path, *, allow_code: bool) -> bool:
    from resvision.report.read import read_record

    return read_record(folder, allow_code=allow_code).finished


def _sorted(runs: "list[ListedRun]", order: Order) -> "list[ListedRun]":
    keys: dict[str, Any] = {
        "name": lambda run: 0,
        # scores of different kinds or data do not compare, so they stay together
        "score": lambda run: (run.record is None, run.record and (run.record.task_name, _data(run)), run.rank),
        "time": lambda run: -run.record.seconds if run.record else 0.0,
        "size": lambda run: -run.bytes,
        "changed": lambda run: -run.changed,
    }
    return sorted(runs, key=keys[order])


def _name(run: "ListedRun", folder: Path) -> str:
    return str(run.folder if run.folder == folder else run.folder.relative_to(folder))


def _data(run: "ListedRun") -> str:
    return short_name(str(run.record.setting("data.name"))) if run.record else ""


def _cells(run: "ListedRun") -> tuple[str, ...]:
    """Score, state, model, data, time and size of a run."""
    from resvision.report.tables import duration

    record = run.record
    if record is None:
        named = (run.figures or {}).items()
        figures = ", ".join(f"{_figure(value)} {name.replace('_', ' ')}" for name, value in named)
        return figures, run.state, "" if run.damage else "a fit", "", "", size(run.bytes)
    state = run.state
    if state != "finished" and record.total_steps:
        state = f"{state}, {record.steps_done / record.total_steps:.0%}"
    model = str(record.setting("model.name"))
    return _score(run), state, model, _data(run), duration(record.seconds), size(run.bytes)


def _score(run: "ListedRun") -> str:
    """The main figure in words, with the split where it is not that of the end."""
    if run.record is None or run.score is None or run.tested is None:
        return "-"
    kind = run.record.kind
    headings = [column.heading for column in kind.columns if (column.source, column.figure) == ("test", kind.main)]
    name = headings[0] if run.state == "finished" and headings else f"{run.tested.split} {kind.main_name}"
    written = kind.write(kind.main, run.score)
    _, _, unit = written.partition(" ")  # which a heading may have as well
    return f"{written} {name.removesuffix(f', {unit}') if unit else name}"


def _document(run: "ListedRun") -> dict[str, Any]:
    record = run.record
    document = {"run": str(run.folder), "state": run.state, "best": run.best, "bytes": run.bytes}
    document |= {"changed": run.changed, "damage": run.damage or None, "figures": run.figures}
    if record is None:
        return document
    return document | {
        "task": record.task_name,
        "model": record.setting("model.name"),
        "data": record.setting("data.name"),
        "recipe": record.setting("recipe"),
        "figure": record.kind.main,
        "score": run.score,
        "split": run.tested.split if run.tested else None,
        "steps": record.steps_done,
        "steps_in_all": record.total_steps,
        "seconds": record.seconds,
    }


def _figure(value: float) -> str:
    """A figure of a fit: a count with commas, any other number with four digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
