"""Cross-validation on the command line: what `train --folds`, and `--resume` of its folder, carry out and print."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from resvision.core.errors import SettingsError

if TYPE_CHECKING:
    from resvision.core.terminal import Terminal
    from resvision.studies.cross_validation import CrossValidation
    from resvision.training_graph import Phase


def begin(asked: "tuple[Phase, ...]", folds: int, *, out: Path | None, console: "Terminal") -> None:
    """Carry out a cross-validation of what is asked for, and print it. SettingsError for several phases."""
    from resvision.studies import cross_validation

    _require_one_process()
    phase, *others = asked
    if others or phase.kind != "run":
        raise SettingsError(f"--folds: the recipe has {1 + len(others)} phases; folds are made of one run")
    _show(cross_validation.begin(phase.run, folds, out=out, console=console))


def go_on(
    folder: Path, *, data: str | None, root: Path | None, changed: bool, allow_code: bool, console: "Terminal"
) -> None:
    """Go on with a cross-validation, and print it. SettingsError where more is asked for (`changed`)."""
    from resvision.studies import cross_validation

    _require_one_process()
    if changed:
        raise SettingsError(f"{folder}: holds several folds, which keep their settings; go on by --resume alone")
    _show(cross_validation.go_on(folder, data=data, root=root, allow_code=allow_code, console=console))


def _show(study: "CrossValidation") -> None:
    """Write the page, and print the table and the place of the page."""
    from resvision.cli.tables import new_table, print_lines, print_tables
    from resvision.core import rundir
    from resvision.studies import folds_page

    page = folds_page.write_folds(study, study.folder / rundir.REPORT)
    table = new_table(*folds_page.header(study), numbers=folds_page.header(study)[1:])
    for row in folds_page.rows(study):
        table.add_row(*row)
    print_tables(table)
    print_lines(folds_page.sentence(study), "", f"page: {page}")


def _require_one_process() -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsError("--folds: several runs, which one process carries out; leave torchrun out")
