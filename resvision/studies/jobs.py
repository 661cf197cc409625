"""Members of a study beside each other, each in a process of its own, with its share of the CPU's threads.

A member's bits are those of a training alone with as many threads: processes share nothing but the processor. With
another number of threads, sums of floating-point numbers are taken in another order, so that the last digits differ.

A signal to the study stops every process with a checkpoint. Processes are groups of their own, so that Ctrl-C reaches
them by way of the study alone; if that is killed, their input ends, and they stop by themselves.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import msgspec
import torch
from rich.console import Console

from resvision.core import rundir
from resvision.core.errors import RunError
from resvision.core.own_modules import OWN_MODULES
from resvision.core.terminal import tell
from resvision.report.tables import duration, main_figure
from resvision.studies.design import Measure
from resvision.studies.member_process import MemberTask, Report, trial_to_json
from resvision.studies.subject import PROBES
from resvision.studies.trials import Diverged, Outcome, Trial, attempt, finished_folder, has_diverged, require_outcome
from resvision.training.stopping import GoingOn, StopSignals

WORDS = "jobs"
"""The folder, in that of a study, with what each process said."""

LOOKED_EVERY_S = 0.1


@dataclass
class Process:
    """The running process of a member; `words` is the file of what it says."""

    trial: Trial
    process: subprocess.Popen[str]
    words: Path
    begun_at: float

    def close(self) -> None:
        """Close the streams of a process that has ended."""
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def report(self) -> Report:
        """The report of a process that has ended; RunError where it ended without one."""
        said = self.process.stdout.read() if self.process.stdout else ""
        self.close()
        if said.strip():
            return msgspec.json.decode(said, type=Report)
        code = self.process.returncode
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        lines = self.words.read_text(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        raise RunError(
            f"{self.trial.name}: its process {how}: {last}; all that it said is in {self.words}, and the same command"
            " goes on"
        )


def attempt_beside(
    folder: Path, trials: Sequence[Trial], measures: Sequence[Measure], console: Console, *, jobs: int, quick: bool
) -> list[Outcome | Diverged]:
    """The outcomes of trials, in order, so many at a time; findings of `measures` are left in the members' folders.

    A member that diverges does not stop the others. Raises RunError for one that fails otherwise, and Stopped after a
    signal, once all processes have ended.
    """
    outcomes: dict[str, Outcome | Diverged] = {}
    waiting: list[Trial] = []
    for trial in trials:
        if _is_done(folder / trial.name, trial, measures):
            outcomes[trial.name] = attempt(folder / trial.name, trial, console)
        else:
            waiting.append(trial)
    threads = max(1, torch.get_num_threads() // jobs)
    if waiting:
        plan = f"{len(waiting)} of {len(trials)} members to train, {min(jobs, len(waiting))} at a time"
        tell(console, f"{plan}, with {threads} thread{'s' if threads > 1 else ''} each")
    running: list[Process] = []
    with StopSignals() as stop:
        stop.defer()
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    running.append(_start(folder, waiting.pop(0), measures, threads, quick=quick))
                    tell(console, f"{running[-1].trial.name}: begun")
                time.sleep(LOOKED_EVERY_S)
                for ended in [process for process in running if process.process.poll() is not None]:
                    running.remove(ended)
                    outcome = _outcome(folder, ended, console)
                    outcomes[ended.trial.name] = outcome
                    tell(console, f"{_in_words(ended, outcome)}; {len(outcomes)} of {len(trials)} done")
                stop.leave_if_any()
        finally:
            _stop(running, console)
    return [outcomes[trial.name] for trial in trials]


def carry_out_beside(folder: Path, trials: Sequence[Trial], console: Console, *, jobs: int) -> list[Outcome]:
    """The outcomes of trials, in order, so many at a time; as `trials.carry_out`, one that diverges is an error."""
    folder.mkdir(parents=True, exist_ok=True)
    with GoingOn("the same command"):
        outcomes = attempt_beside(folder, trials, (), console, jobs=jobs, quick=False)
    return [require_outcome(outcome) for outcome in outcomes]


def _is_done(folder: Path, trial: Trial, measures: Sequence[Measure]) -> bool:
    """Whether nothing is left to do for a trial, so that no process is started for it."""
    if has_diverged(folder, trial):
        return True
    place = finished_folder(folder, trial)
    return place is not None and all((place / PROBES / f"{measure.name}.json").is_file() for measure in measures)


def _start(folder: Path, trial: Trial, measures: Sequence[Measure], threads: int, *, quick: bool) -> Process:
    task = MemberTask(
        folder=str(folder.resolve()),
        trial=trial_to_json(trial),
        measures=tuple(measures),
        quick=quick,
        threads=threads,
        modules=OWN_MODULES.folders,
    )
    words = folder / WORDS / f"{trial.name}.txt"
    shares = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    path = os.pathsep.join(place for place in sys.path if place)
    with _opened(words) as file:
        process = subprocess.Popen(  # a module of ours, its task on its input
            [sys.executable, "-P", "-m", "resvision.studies.member_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env={**os.environ, **shares, "PYTHONPATH": path},
            process_group=0 if sys.platform != "win32" else None,
        )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(task).decode() + "\n")
    process.stdin.flush()  # and it stays open, as long as this process lives
    return Process(trial, process, words, time.monotonic())


def _opened(words: Path) -> TextIO:
    try:
        words.parent.mkdir(exist_ok=True)
        return words.open("w")
    except OSError as error:
        raise rundir.unwritable(words, error) from None


def _outcome(folder: Path, ended: Process, console: Console) -> Outcome | Diverged:
    report = ended.report()
    if report.diverged:
        return Diverged(ended.trial, folder / ended.trial.name, report.diverged)
    if report.error:
        raise RunError(f"{ended.trial.name}: {report.error}")
    quiet = Console(quiet=True)
    return attempt(folder / ended.trial.name, ended.trial, quiet)  # it is finished, and read


def _in_words(ended: Process, outcome: Outcome | Diverged) -> str:
    """The end of a member in a line."""
    if isinstance(outcome, Diverged):
        return str(outcome)
    kind = outcome.record.kind
    took = duration(time.monotonic() - ended.begun_at)
    return f"{ended.trial.name}: finished after {took}, test {kind.main_name} {main_figure(kind, outcome.tested)}"


def _stop(running: Sequence[Process], console: Console) -> None:
    """Have processes end with a checkpoint, and wait for them; a second Ctrl-C in the meantime kills them."""
    if running:
        tell(console, f"stopping {', '.join(process.trial.name for process in running)}")
    try:
        for each in running:
            each.process.terminate()
        for each in running:
            each.process.wait()
    finally:
        for each in running:
            each.process.kill()  # of no effect on one that has ended
            each.process.wait()
            each.close()
