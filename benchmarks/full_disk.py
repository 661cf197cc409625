"""Train on a disk of 2 MB that fills up, or cannot be written to, and go on once there is room. Linux, as root.

    python benchmarks/full_disk.py [--times 10] [--seed 0] [--scratch FOLDER]

A tmpfs is mounted for the run directory, and a second file takes what is left of it: before the start, all but so many
KB; or, at moments drawn from the seed, all of it. Each time the training must end with exit code 2 and one line, leave
the last checkpoint whole, and, after the file is deleted, go on to the bits of the run that had room.
"""

import argparse
import errno
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from kill_and_resume import (
    DIGITS,
    DIGITS_STEPS,
    TIMEOUT_S,
    Training,
    differences,
    kept_step,
    last_line,
    said_in,
    table_row,
    unreadable,
    wait,
)

TRAINING = Training("digits", "digits", DIGITS, DIGITS_STEPS)


class Row(NamedTuple):
    """What was done to the disk, the line that came, the checkpoint that stayed, and how the run ended."""

    what: str
    said: str
    kept: str
    equal: str


@contextmanager
def disk(place: Path) -> Iterator[Path]:
    """A disk of 2 MB, mounted for the block."""
    place.mkdir()
    mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place))
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


def fill(place: Path, *, but: int = 0) -> Path:
    """A file that takes all room but so many bytes."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        file.truncate(max(0, file.tell() - but))
    return ballast


def last_words(folder: Path, code: int) -> str:
    """The one line that a person sees at the end; where there is more or less to it, that."""
    text = said_in(folder).read_text()
    lines = [line for line in text.splitlines() if line.startswith("resvision: ") or "Traceback" in line]
    return lines[0] if code == 2 and len(lines) == 1 else f"exit code {code}: {text[-2000:]}"


def is_clear(row: Row) -> bool:
    return row.said.startswith("resvision: ") and row.equal == "equal"


def outcome(what: str, folder: Path, code: int, ballast: Path, straight: Path) -> Row:
    """Look at what is left, make room, go on, compare."""
    said = last_words(folder, code).replace(str(folder.parent), "DISK")
    kept = "; ".join(unreadable(folder)) or f"step {kept_step(folder)}"
    ballast.unlink()
    faults = "; ".join(differences(straight, TRAINING.finish(folder)))
    return Row(what, said, kept, faults or "equal")


def too_small_from_the_start(scratch: Path, straight: Path) -> Iterator[Row]:
    """Nearly no room at the start."""
    for room_kb in (0, 8, 12, 16, 24, 40, 64, 96):
        with disk(scratch / f"small-{room_kb}") as place:
            folder = place / "run"
            said_in(folder).symlink_to(scratch / f"small-{room_kb}.txt")
            ballast = fill(place, but=1024 * room_kb)
            code = TRAINING.start(folder).wait(TIMEOUT_S)
            yield outcome(f"{room_kb} KB of room at the start", folder, code, ballast, straight)


def filled_on_the_way(scratch: Path, straight: Path, times: int, seed: int) -> Iterator[Row]:
    """The disk fills up while the run is under way."""
    draws = random.Random(seed)
    for number in range(times):
        with disk(scratch / f"filled-{number}") as place:
            folder = place / "run"
            said_in(folder).symlink_to(scratch / f"filled-{number}.txt")
            process, step = TRAINING.start(folder), draws.randrange(1, 500)

            def has_come(folder: Path = folder, step: int = step) -> bool:
                return (last_line(folder) or {"step": 0})["step"] >= step

            wait(process, has_come)
            time.sleep(draws.random() * 0.1)
            ballast = fill(place)
            yield outcome(f"full after step {step}", folder, process.wait(TIMEOUT_S), ballast, straight)


def read_only(scratch: Path, straight: Path) -> Iterator[Row]:
    """A disk that can be read only: a new run, and one that has begun."""
    with disk(scratch / "read-only") as place:
        for what, folder in (("a new run", place / "new"), ("a run that had begun", place / "run")):
            said_in(folder).symlink_to(scratch / f"{folder.name}.txt")
            if "begun" in what:
                process = TRAINING.start(folder)
                wait(process, lambda folder=folder: kept_step(folder) > 0)  # type: ignore[misc]
                process.kill()
                process.wait()
                time.sleep(10)  # its workers see to it within five seconds, and have files open until then
            mount("-o", "remount,ro", str(place))
            code = TRAINING.start(folder).wait(TIMEOUT_S)
            mount("-o", "remount,rw", str(place))
            yield outcome(f"read-only, {what}", folder, code, fill(place, but=2**20), straight)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=10, help="disks that fill up on the way")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--scratch", type=Path, help="an empty folder to work in; a temporary one when left out")
    asked = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("only root may mount a disk")
    with tempfile.TemporaryDirectory(dir=asked.scratch) as name:
        scratch = Path(name)
        straight = TRAINING.finish(scratch / "straight")
        print(
            table_row(
                ["disk", "what was said", "checkpoint that was left", "after making room, against one that had it"]
            )
        )
        print(table_row(["---"] * 4), flush=True)
        clear = []
        for row in chain(
            too_small_from_the_start(scratch, straight),
            filled_on_the_way(scratch, straight, asked.times, asked.seed),
            read_only(scratch, straight),
        ):
            print(table_row(row), flush=True)
            clear.append(is_clear(row))
    sys.exit(not all(clear))


if __name__ == "__main__":
    main()
