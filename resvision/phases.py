"""Recipes of several phases: runs in one folder, one after another, each of which starts with the result before it.

The folder holds `phases.json`, the Runs as they were asked for, and a run directory for each, `1-fcn32s`, `2-fcn16s`.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from resvision.core import rundir
from resvision.core.errors import ResVisionError, RunError, SettingsError
from resvision.core.rundir import PHASES
from resvision.core.settings import to_json
from resvision.launch import Finished, launch, resume
from resvision.run import Run, read_run, run_from_json


def launch_phases(runs: Sequence[Run], *, out: Path | None, console: Console) -> Finished:
    """Carry out the runs in a new folder; the last of them, finished. Raises what `launch` raises.

    SettingsError for several phases under torchrun, whose processes would each make the folder.
    """
    if len(runs) == 1:
        return launch(runs[0], out=out, console=console)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsError(f"{runs[0].recipe}: has several phases, which one process carries out; leave torchrun out")
    names = Path(runs[-1].model.name.replace(":", ".")).name, Path(runs[-1].data.name).name
    folder = rundir.create("-".join(names)) if out is None else rundir.claim(out)
    rundir.write_json(folder / PHASES, [to_json(run) for run in runs])
    return _carry_out(folder, runs, console)


def has_phases(folder: Path) -> bool:
    """Whether a folder is one of several phases."""
    return (folder / PHASES).is_file()


def resume_phases(folder: Path, *, allow_code: bool = False, console: Console) -> Finished:
    """Go on with a folder of phases where it stopped.

    Raises RunError or SettingsError where it is damaged, and where it names code of a user's own, which would be
    imported, and `allow_code` is not given.
    """
    data = rundir.read_json(folder / PHASES)
    if not isinstance(data, list) or not data:
        raise RunError(f"{folder / PHASES}: damaged: expected a list of runs")
    try:
        runs = [run_from_json(run, allow_code=allow_code) for run in data]
    except ResVisionError as error:
        raise type(error)(f"{folder / PHASES}: {error}") from None
    return _carry_out(folder, runs, console, allow_code=allow_code)


def _carry_out(folder: Path, runs: Sequence[Run], console: Console, *, allow_code: bool = False) -> Finished:
    before: Path | None = None
    finished: Finished | None = None
    for number, run in enumerate(runs, start=1):
        place = folder / f"{number}-{Path(run.model.name.replace(':', '.')).name}"
        console.rule(f"phase {number} of {len(runs)}: {run.model.name}")
        if before is not None:
            run = replace(run, model=replace(run.model, init_from=str(before), encoder_from=None))
        if (place / rundir.RUN).is_file():
            read_run(place, allow_code=allow_code)
            finished = resume(place, allow_code=allow_code, console=console)
        else:
            finished = launch(run, out=place, console=console)
        before = place
    assert finished is not None, "there is at least one phase"
    return finished
