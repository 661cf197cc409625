"""The harness of the fuzzers: mutants of small whole files go into a parser in a process of its own, one after another.

A mutant is accepted, refused by an error of ours, or a finding: any other error, a message that a terminal would take
for commands, the death of the process, more memory than the target allows, or no end within a time. Entries that lead
to an answer which was not met before join the corpus. Each kind of finding is told once, with the line that raised it.
"""

import argparse
import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mutations import Mutator, mutated_bytes

from resvision.core.errors import ResVisionError

CORPUS = Path(__file__).parents[1] / "tests" / "corpus"
"""Inputs that were findings once, in a folder for each target."""
ADDRESS_SPACE = 4 * 2**30
"""Bytes that a process may take beyond those that it starts with."""
LARGEST_CORPUS = 2_000
LARGEST_ENTRY = 2**16
"""Bytes of an entry that joins the corpus."""
_REPOSITORY = str(Path(__file__).parents[1])


@dataclass(frozen=True, kw_only=True)
class Target:
    """A parser under test.

    seeds      makes whole files, each of which is accepted
    read       reads the bytes, in a folder of its own where it needs files; returns where they are accepted
    mutate     makes mutants of a corpus
    seconds    that one input may take
    memory_mb  that one input may take, beyond what the process held before it
    long       whether it is among those that a check by hand gives more time
    """

    name: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], object]
    mutate: Mutator = mutated_bytes
    seconds: float = 10.0
    memory_mb: int = 256
    long: bool = False

    @property
    def folder(self) -> str:
        """The name of its folder in the corpus."""
        return self.name.replace(" ", "-")

    def kept(self) -> list[bytes]:
        """The inputs that were findings once."""
        return [path.read_bytes() for path in sorted((CORPUS / self.folder).glob("*"))]


@dataclass
class Tally:
    """The outcome of the inputs of one target.

    crashed     gave an error which is none of ours, ended the process, or took more memory than the target allows
    largest_mb  that one input took, beyond what the process held before it
    slowest_ms  of the processor, for one input
    findings    number of inputs by kind of finding
    """

    name: str
    tried: int = 0
    accepted: int = 0
    refused: int = 0
    crashed: int = 0
    hung: int = 0
    largest_mb: int = 0
    slowest_ms: float = 0.0
    stderr_lines: int = 0
    findings: dict[str, int] = field(default_factory=dict)


class Answer(NamedTuple):
    """The answer of a parser to one input.

    outcome  accepted, refused, crashed or hung
    kind     what answers of one kind share: the message without names and numbers, or the error and its line
    text     the message
    """

    outcome: str
    kind: str = ""
    text: str = ""


class TooLong(BaseException):
    """The time of an input is over; no `except Exception` keeps it."""


def answer(target: Target, data: bytes, folder: Path) -> Answer:
    """The answer of the target's parser to one input, in this process."""
    try:
        with _alarm(target.seconds):
            target.read(data, folder)
    except ResVisionError as error:
        return _refusal(str(error))
    except TooLong as error:
        return Answer("hung", f"takes more than {target.seconds:g} s{_line(error)}")
    except MemoryError as error:
        return Answer("crashed", f"asks for more memory than there is{_line(error)}")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        return Answer("crashed", f"{type(error).__name__}{_line(error)}", str(error)[:300])
    return Answer("accepted")


def _refusal(message: str) -> Answer:
    kind = re.sub(r"'[^']*'|/\S*|\d+", "", message)[:200]
    control = next((letter for letter in message if not letter.isprintable() and letter != "\n"), "")
    if control:
        return Answer(
            "crashed", f"an error with a control character, {kind[:50]!a}", f"{control!a} in {message[:300]!a}"
        )
    return Answer("refused", kind, message)


def _line(error: BaseException) -> str:
    """The innermost line of ours in the traceback of an error, and the innermost of all."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{_REPOSITORY}/resvision/" in frame.filename]
    lines = [f"{frame.filename.removeprefix(_REPOSITORY + '/')}:{frame.lineno}" for frame in (*ours[-1:], *frames[-1:])]
    return f" ({', '.join(dict.fromkeys(lines))})"


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(number: int, frame: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# ---------------------------------------------------------------------------------------------- processes


class Report(NamedTuple):
    """What a process tells of one input, before the next."""

    answer: Answer
    seconds: float
    megabytes: int


def _serve(connection: Connection, target: Target, stderr: int) -> None:
    """Read the inputs that come, in this process, and tell the answer to each and what it took."""
    os.dup2(stderr, 2)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = f"{scratch}/cache"
        folder = Path(scratch, "input")
        folder.mkdir()
        target.read(target.seeds()[0], folder)  # modules that are loaded late are no memory of an input
        limit = _memory("VmSize") * 2**20 + ADDRESS_SPACE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        while (data := connection.recv()) is not None:
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            held, began = _memory("VmRSS"), time.process_time()
            said = answer(target, data, folder)
            taken, peak = time.process_time() - began, _memory("VmHWM") - held
            if said.outcome in {"accepted", "refused"} and peak > target.memory_mb:
                said = Answer("crashed", f"takes more than {target.memory_mb} MB", f"{peak} MB, {said.outcome}")
            connection.send(Report(said, taken, max(0, peak)))


def _memory(what: str) -> int:
    """A line of this process's status, in megabytes."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) // 1024 if found else 0


class Child:
    """A process that reads inputs of one target; a new one takes its place when it dies or hangs."""

    def __init__(self, target: Target, stderr: int) -> None:
        self._target, self._stderr = target, stderr
        self._start()

    def report(self, data: bytes) -> Report:
        """What became of an input."""
        try:
            self._here.send(data)
            if self._here.poll(3 * self._target.seconds):  # the alarm in the process was not heard in C
                report: Report = self._here.recv()
                return report
            said = Answer("hung", f"takes more than {3 * self._target.seconds:g} s, deaf to signals")
        except (EOFError, ConnectionError):
            self._process.join()
            said = Answer("crashed", f"ends the process with {self._process.exitcode}{_last_line(self._stderr)}")
        self._process.kill()
        self._process.join()
        self._start()
        return Report(said, 0.0, 0)

    def close(self) -> None:
        """End the process."""
        self._here.send(None)
        self._process.join()

    def _start(self) -> None:
        processes = get_context("fork")
        self._here, there = processes.Pipe()
        self._process = processes.Process(target=_serve, args=(there, self._target, self._stderr), daemon=True)
        self._process.start()
        there.close()


def _last_line(stderr: int) -> str:
    """The last line of what the processes said, for the table of findings."""
    size = os.fstat(stderr).st_size
    said = os.pread(stderr, 1000, max(0, size - 1000)).decode(errors="replace").strip()
    return f": {said.splitlines()[-1][:200]}" if said else ""


# ---------------------------------------------------------------------------------------------- fuzzing


def fuzz(target: Target, *, seconds: float, inputs: int, seed: int, save: Path | None) -> Tally:
    """Read the seeds and the kept inputs, then mutants until the time is over or there were so many."""
    seeds = target.seeds()
    tally, corpus, met = Tally(target.name), [*seeds, *target.kept()], set[str]()
    until = time.monotonic() + seconds
    with tempfile.TemporaryFile() as stderr:
        child = Child(target, stderr.fileno())
        for number, data in enumerate(list(corpus)):
            report = child.report(data)
            if number < len(seeds) and report.answer.outcome != "accepted":
                report = Report(Answer("crashed", f"seed {number} is not accepted", str(report.answer)), 0.0, 0)
            _count(tally, report, data, save)
        for number in range(inputs):
            if time.monotonic() > until:
                break
            data = target.mutate(corpus, np.random.default_rng([seed, number, *target.name.encode()]))
            report = child.report(data)
            _count(tally, report, data, save)
            if report.answer.kind not in met and report.answer.outcome == "refused":
                met.add(report.answer.kind)
                corpus += [data] if len(corpus) < LARGEST_CORPUS and len(data) < LARGEST_ENTRY else []
        child.close()
        stderr.seek(0)
        tally.stderr_lines = sum(1 for _ in stderr)
    return tally


def _count(tally: Tally, report: Report, data: bytes, save: Path | None) -> None:
    (outcome, kind, text), seconds, megabytes = report
    tally.tried += 1
    setattr(tally, outcome, getattr(tally, outcome) + 1)
    tally.largest_mb = max(tally.largest_mb, megabytes)
    tally.slowest_ms = max(tally.slowest_ms, 1000 * seconds)
    if outcome in {"accepted", "refused"}:
        return
    tally.findings[kind] = tally.findings.get(kind, 0) + 1
    if tally.findings[kind] > 1:
        return
    print(f"{tally.name}, {outcome}: {kind}: {text}\n    {data[:300]!r}", file=sys.stderr, flush=True)
    if save is not None:
        save.mkdir(parents=True, exist_ok=True)
        (save / f"{tally.name.replace(' ', '-')}-{len(tally.findings)}").write_bytes(data)


HEADINGS = ("target", "tried", "accepted", "refused", "crashed", "hung", "largest MB", "slowest ms", "stderr lines")


def main(targets: Sequence[Target], doc: str | None) -> int:
    """The command line of a fuzzer; the exit code is 1 where there is a finding."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0, help="for each target")
    parser.add_argument("--long", type=float, help="seconds for COCO, run.json and tar; as the others if left out")
    parser.add_argument("--inputs", type=int, default=2**31, help="mutants of each target at most")
    parser.add_argument("--only", action="append", choices=[target.name for target in targets])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="folder for inputs that were findings")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    tallies = []
    if not asked.json:
        print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}", flush=True)
    for target in targets:
        if asked.only is None or target.name in asked.only:
            seconds = asked.long if asked.long is not None and target.long else asked.seconds
            tally = fuzz(target, seconds=seconds, inputs=asked.inputs, seed=asked.seed, save=asked.save)
            tallies.append(tally)
            if not asked.json:
                print(_row(tally), flush=True)
    if asked.json:
        print(json.dumps([asdict(tally) for tally in tallies]))
    return 1 if any(tally.crashed + tally.hung for tally in tallies) else 0


def _row(tally: Tally) -> str:
    counts = (tally.tried, tally.accepted, tally.refused, tally.crashed, tally.hung, tally.largest_mb)
    figures = [f"{count:,}" for count in (*counts, round(tally.slowest_ms), tally.stderr_lines)]
    return f"| {' | '.join([tally.name, *figures])} |"
