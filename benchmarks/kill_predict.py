"""Kill `predict --out` inside a write, fill its disk, start it twice, and look at what lies in the folder. Linux.

    python benchmarks/kill_predict.py [--kills 20] [--seed 0] [--scratch FOLDER]

Label maps and overlays of large images are written by a tiny net. SIGKILL comes while a draft is being written, a drawn
number of files after the start; `--resume` goes on after each kill, and a folder that is whole is followed by a new
one. After every kill each file under a final name must have the bytes of the prediction that was not stopped; in the
end all of them must be there, with a line of JSON for every image. Then the same on tmpfs disks that are too small, for
which root is needed, and with two processes at once. Exit code 1 where anything differs.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

IMAGES, HEIGHT, WIDTH = 8, 700, 1000
TIMEOUT_S = 600
TRAIN = ("train", "deeplabv3plus", "--data", "digit-scenes-composed", "--batch-size", "4")
SETTINGS = ("training.duration=2 steps", "model.options.backbone=resnet18", "model.options.width=4")


class Row(NamedTuple):
    what: str
    said: str
    kept: str
    end: str


def table_row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def start(words: list[str], out: Path) -> subprocess.Popen[bytes]:
    """Start `resvision`; its lines are appended to the file `out`, its errors written beside it."""
    command = [sys.executable, "-m", "resvision", *words]
    with out.open("ab") as lines, out.with_suffix(".err").open("wb") as errors:
        return subprocess.Popen(command, stdout=lines, stderr=errors, env=os.environ | {"OMP_NUM_THREADS": "1"})


class Prediction(NamedTuple):
    """What is predicted, and the files (name -> content) that it must give."""

    run: Path
    images: Path
    expected: dict[str, bytes]

    def words(self, folder: Path) -> list[str]:
        more = ["--resume"] if folder.exists() else []
        return ["predict", str(self.run), str(self.images), "--out", str(folder), "--json", *more]

    def faults(self, folder: Path) -> list[str]:
        """The files under final names that do not have their bytes."""
        names = [name for name in names_in(folder) if not name.startswith(".")]
        return [name for name in names if (folder / name).read_bytes() != self.expected.get(name)]

    def finish(self, folder: Path, lines: Path) -> str:
        """Go on to the end, and compare everything."""
        code = start(self.words(folder), lines).wait(TIMEOUT_S)
        if code:
            return f"exit code {code}: {lines.with_suffix('.err').read_text()[-300:]}"
        missing = self.expected.keys() - names_in(folder)
        more = names_in(folder) - self.expected.keys()
        printed = {json.loads(line)["source"] for line in lines.read_text().splitlines()}
        unprinted = {str(file) for file in self.images.iterdir()} - printed
        wrong = [*missing, *more, *unprinted, *self.faults(folder)]
        return f"differs: {wrong}" if wrong else "equal"


def prepare(scratch: Path) -> Prediction:
    draws = np.random.default_rng(0)
    (scratch / "images").mkdir()
    for number in range(IMAGES):
        pixels = draws.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
        Image.fromarray(pixels).save(scratch / "images" / f"{number}.png")
    words = [*TRAIN, "--out", str(scratch / "run"), *(f"--set={setting}" for setting in SETTINGS)]
    prediction = Prediction(scratch / "run", scratch / "images", {})
    for step in (words, prediction.words(scratch / "whole")):
        if start(step, scratch / "whole.txt").wait(TIMEOUT_S):
            raise SystemExit((scratch / "whole.err").read_text())
    expected = {file.name: file.read_bytes() for file in (scratch / "whole").iterdir()}
    return prediction._replace(expected=expected)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def drafts_in(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder) if entry.name.endswith(".new") and entry.stat().st_size]
    except OSError:  # the folder is not there yet, the draft no longer
        return []


def killed(prediction: Prediction, scratch: Path, kills: int, seed: int) -> Iterator[Row]:
    """One row for all kills: how many fell inside a write, and what was found after them."""
    draws = random.Random(seed)
    sent = inside = folders = 0
    faults: list[str] = []
    ends: list[str] = []
    while sent < kills:
        folders += 1
        folder, lines = scratch / f"killed-{folders}", scratch / f"killed-{folders}.jsonl"
        while sent < kills:
            process = start(prediction.words(folder), lines)
            files = draws.randrange(1, 6)
            seen: set[str] = set()
            while process.poll() is None and len(seen) < files:
                seen.update(drafts_in(folder))
            process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                break
            sent += 1
            inside += bool(drafts_in(folder))
            faults += prediction.faults(folder)
            print(f"{sent}: {len(names_in(folder))} entries, {drafts_in(folder)}, {faults}", file=sys.stderr)
        ends.append(prediction.finish(folder, lines))
    kept = f"half-written: {faults}" if faults else "nothing half-written"
    what = f"{sent} times SIGKILL, {inside} inside a write"
    yield Row(what, "-", kept, "; ".join(dict.fromkeys(ends)) + f" ({len(ends)} folders)")


def filled(prediction: Prediction, scratch: Path) -> Iterator[Row]:
    """Disks that hold some of the files."""
    if os.geteuid():
        return
    total = sum(map(len, prediction.expected.values()))
    for percent in (1, 15, 40, 90):
        place, lines = scratch / f"disk-{percent}", scratch / f"disk-{percent}.jsonl"
        place.mkdir()
        size = max(8192, total * percent // 100)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=False)
        if mounted.returncode:
            print("disks: not allowed to mount one", file=sys.stderr)
            return
        try:
            folder = place / "maps"
            code = start(prediction.words(folder), lines).wait(TIMEOUT_S)
            said = lines.with_suffix(".err").read_text().strip().replace(str(place), "DISK")
            if code != 2 or len(said.splitlines()) != 1:
                said = f"exit code {code}: {said}"
            faults = prediction.faults(folder) if folder.exists() else []
            kept = f"half-written: {faults}" if faults else f"{len(names_in(folder))} files"
            subprocess.run(["mount", "-o", f"remount,size={2 * total + 2**20}", str(place)], check=True)
            yield Row(f"a disk of {percent} % of the room", said, kept, prediction.finish(folder, lines))
        finally:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def twice(prediction: Prediction, scratch: Path) -> Iterator[Row]:
    """A second process while the first one writes."""
    folder = scratch / "twice"
    first = start(prediction.words(folder), scratch / "first.jsonl")
    while first.poll() is None and not drafts_in(folder):
        pass
    second = start(prediction.words(folder), scratch / "second.jsonl")
    code = second.wait(TIMEOUT_S)
    said = (scratch / "second.err").read_text().strip().replace(str(scratch), "HERE")
    first.wait(TIMEOUT_S)
    faults = prediction.faults(folder)
    kept = f"half-written: {faults}" if faults else "nothing half-written"
    end = prediction.finish(folder, scratch / "first.jsonl")
    yield Row("a second process", said if code == 2 else f"exit code {code}: {said}", kept, end)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="signals")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--scratch", type=Path, help="an empty folder to work in; a temporary one when left out")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.scratch) as name:
        scratch = Path(name)
        prediction = prepare(scratch)
        print(table_row(("what was done", "what was said", "what was left", "after --resume")))
        print(table_row(("---",) * 4), flush=True)
        clear = []
        rows = (killed(prediction, scratch, asked.kills, asked.seed), filled(prediction, scratch))
        for row in (row for part in (*rows, twice(prediction, scratch)) for row in part):
            print(table_row(row), flush=True)
            clear.append(
                "half-written: " not in row.kept and row.end.startswith("equal") and "exit code" not in row.said
            )
    sys.exit(not all(clear))


if __name__ == "__main__":
    main()
