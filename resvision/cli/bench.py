"""`resvision bench`: the speed of nets on this machine, our ways to compute them beside the usual ones."""

import json
import tempfile
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resvision.cli.shared_options import AllowCode, AsJson
from resvision.cli.tables import Wide
from resvision.core.errors import SettingsError, UnknownNameError, nearest

if TYPE_CHECKING:
    from resvision.bench.machine import MeasuredMachine
    from resvision.bench.measuring import Measured, Question


def command(
    nets: Annotated[
        list[str], typer.Argument(metavar="MODEL|RUN|BUNDLE...", help="Measure these; a model has drawn weights.")
    ],
    size: Annotated[
        int | None, typer.Option(min=8, help="Measure at squares of this side; that of the run or paper if left out.")
    ] = None,
    batch: Annotated[
        list[int] | None, typer.Option(min=1, help="Show the net this number of views at a time; 1 and 16. Repeatable.")
    ] = None,
    paths: Annotated[
        str | None,
        typer.Option(help="Measure these, as torch,openvino-bf16; the first is what others are compared to."),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(help="Measure from these files and folders to results as well. Repeatable.", readable=False),
    ] = None,
    files: Annotated[
        int | None, typer.Option(min=1, help="Take this number of the images, again and again where there are fewer.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Let all take this number of turns.")] = 5,
    seconds: Annotated[float, typer.Option(min=0.0, help="Measure each for this time in a turn, once at least.")] = 1.0,
    picture: Annotated[Path | None, typer.Option(help="Draw the rates into this SVG file as well.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over the file of --picture.")] = False,
    as_json: AsJson = False,
    wide: Wide = False,
    allow_code: AllowCode = False,
) -> None:
    """Measure how fast nets are on this machine.

    By torch and by engines, and beside these as others compute them; all take turns.

    The net alone is shown views of drawn pixels. With --images, files are decoded, shown and predicted, too.
    """
    from resvision.bench.machine import measured_machine
    from resvision.bench.measuring import Question
    from resvision.bench.showing import picture as drawn
    from resvision.bench.subjects import require_subject

    if files is not None and not images:
        raise SettingsError("--files: takes them from --images, which names files or folders")
    for net in nets:
        require_subject(net)
    if picture is not None:
        from resvision.report.architecture import require_free

        require_free(picture, force=force)
    question = Question(
        paths=_paths(paths),
        batches=tuple(batch or (1, 16)),
        files=_files(images, files),
        rounds=rounds,
        least_s=seconds,
    )
    machine = measured_machine()
    found = [_measured(net, size, question, allow_code=allow_code) for net in nets]
    machine = machine.measured_again()
    if picture is not None:
        from resvision.report.architecture import write

        write(picture, drawn(found, machine.lines))
    if as_json:
        typer.echo(json.dumps(_document(machine, found, question), ensure_ascii=False))
    else:
        _print(machine, found, wide=wide)


def _measured(net: str, size: int | None, question: "Question", *, allow_code: bool) -> "Measured":
    """Measure a net, with a bar while it lasts; SettingsError where none of the paths can be had."""
    from resvision.bench.measuring import measured
    from resvision.bench.subjects import subject_of
    from resvision.core.progress import Bar
    from resvision.core.terminal import Terminal

    with tempfile.TemporaryDirectory(prefix="resvision-") as scratch:
        subject = subject_of(net, size_px=size, scratch=Path(scratch), allow_code=allow_code)
        with Bar(Terminal(stderr=True), f"measuring {net}", noun="turn") as bar:
            found = measured(subject, question, bar.advance)
    if not found.contenders:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in found.left_out.items())
        raise SettingsError(f"{net}: nothing can be measured here: {reasons}")
    return found


def _paths(text: str | None) -> tuple[str, ...]:
    """The paths that are named, all where none are; UnknownNameError for others."""
    from resvision.bench.contenders import PATHS

    names = tuple(PATHS) if text is None else tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in names:
        if name not in PATHS:
            similar = nearest(name, PATHS)
            hint = f"; nearest: {', '.join(similar)}" if similar else ""
            raise UnknownNameError(f"--paths: unknown path {name!r}; choices are {', '.join(PATHS)}{hint}")
    return names


def _files(images: list[Path] | None, number: int | None) -> tuple[Path, ...]:
    """The files in order; as many as are asked for, again and again where there are fewer."""
    from resvision.prediction.image_files import ImageFiles

    if not images:
        return ()
    files = [*ImageFiles.of(images)]
    return tuple(files if number is None else islice(cycle(files), number))


def _document(machine: "MeasuredMachine", found: "list[Measured]", question: "Question") -> dict[str, Any]:
    from resvision.bench.showing import to_json

    return {
        "machine": machine.to_json(),
        "rounds": question.rounds,
        "seconds": question.least_s,
        "files": len(question.files),
        "nets": [to_json(measured, machine.ceilings) for measured in found],
    }


def _print(machine: "MeasuredMachine", found: "list[Measured]", *, wide: bool) -> None:
    from resvision.bench.showing import columns, notes, rows, title
    from resvision.cli.tables import new_table, print_lines, print_tables

    print_lines(*machine.lines)
    for measured in found:
        headings = columns(measured)
        spreads = [name for name in headings if name.startswith("±")]
        table = new_table(*headings, numbers=headings[1:], title=title(measured), least=spreads)
        for row in rows(measured, machine.ceilings):
            table.add_row(*row)
        print_tables(table, wide=wide)
        print_lines(f"x: times as fast as {measured.baseline}; ±: half of the spread over the rounds", *notes(measured))
