"""The process of one member of a study: a trial is carried out and measured here, as `jobs` asks for it.

It reads one line of JSON, a `MemberTask`, and writes one, a `Report`. Its input stays open as long as whoever asked is there;
once that is gone, however it died, the training stops as by SIGTERM, with a checkpoint.
"""

import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch

from resvision.core.errors import ResVisionError, Stopped
from resvision.core.own_modules import OWN_MODULES
from resvision.core.settings import to_json
from resvision.core.terminal import Terminal
from resvision.run import run_from_json
from resvision.studies.design import Measure
from resvision.studies.subject import Subject, measured
from resvision.studies.trials import Diverged, Trial, attempt
from resvision.training_graph import graph_from_json, graph_to_json


@dataclass(frozen=True, kw_only=True)
class MemberTask:
    """The work of a process, in plain data.

    folder    of the study
    trial     as `trial_to_json` writes it
    measures  of single members, which follow the training
    threads   of the CPU, where the run names none
    modules   folders of a user's own modules, by name
    """

    folder: str
    trial: dict[str, Any]
    measures: tuple[Measure, ...]
    quick: bool
    threads: int
    modules: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The end of a process.

    diverged  the error of a loss that was no number
    error     any other error of ours
    stopped   the number of the signal that stopped it
    """

    diverged: str = ""
    error: str = ""
    stopped: int = 0


def trial_to_json(trial: Trial) -> dict[str, Any]:
    """A trial as plain data."""
    return {
        "model": trial.model,
        "seed": trial.seed,
        "label": trial.label,
        "run": to_json(trial.run),
        "phases": graph_to_json(trial.phases) if trial.phases else None,
    }


def trial_from_json(data: dict[str, Any]) -> Trial:
    """The trial that was written by `trial_to_json`; whoever asked has named its code."""
    return Trial(
        model=data["model"],
        seed=data["seed"],
        label=data["label"],
        run=run_from_json(data["run"], allow_code=True),
        phases=graph_from_json(data["phases"], allow_code=True) if data["phases"] else (),
    )


def carry_out(task: MemberTask) -> Report:
    """Train and measure a member, or go on with what was begun."""
    torch.set_num_threads(task.threads)
    OWN_MODULES.add(task.modules)
    trial, folder, console = trial_from_json(task.trial), Path(task.folder), Terminal(stderr=True)
    try:
        outcome = attempt(folder / trial.name, trial, console)
        if isinstance(outcome, Diverged):
            return Report(diverged=outcome.reason)
        subject = Subject(trial.model, trial.seed, outcome, task.quick)
        for measure in task.measures:
            measured(measure, [subject], folder, console)
    except Stopped as stopped:
        return Report(stopped=stopped.exit_code - 128, error=str(stopped))
    except ResVisionError as error:
        return Report(error=str(error))
    return Report()


def stop_with_input() -> None:
    """Stop this process as by SIGTERM once the other end of its input is closed."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # raw, since a buffer that is being read cannot be closed at the end
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Carry out the task on standard input; the report is all that goes to standard output."""
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print belongs to the record of the process
    task = msgspec.json.decode(sys.stdin.readline(), type=MemberTask)
    stop_with_input()
    report = carry_out(task)
    with suppress(OSError), reports:  # nobody may be there to read it
        reports.write(msgspec.json.encode(report).decode() + "\n")


if __name__ == "__main__":
    main()
