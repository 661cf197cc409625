"""Memory while training on folders of two sizes, and seconds until `--help` and `list` have been printed.

    python benchmarks/memory_and_start.py [--images 10000 100000] [--out page.md]

The folders hold links to the same hundred pictures, so that only the number of files differs. Memory is the
proportional share (PSS) of the process and its workers together, the highest seen while it trains. Needs Linux.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from harness import machine, table, write
from train_speed import made

CLASSES, FILES = 10, 100
SETTINGS = ["--set=training.duration=12 steps", "--batch-size=16", "--set=model.options.width=8"]


def main() -> None:
    """Measure and print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--out", type=Path, help="file for the page")
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        pictures = sorted(Path(made(Path(scratch) / "pictures", 256, 320, count=FILES)).rglob("*.jpg"))
        for count in asked.images:
            folder = linked(Path(scratch) / f"links-{count}", pictures, count)
            peak, start = training_memory(folder, Path(scratch) / f"run-{count}")
            rows.append([f"{count:,}", f"{peak / 2**20:.0f}", f"{start:.1f}"])
    text = [
        f"Machine: {machine()}",
        table(["images in the folder", "highest memory while training, MiB", "seconds to the first step"], rows),
        table(["command", "seconds, median of 7"], [[words, f"{start_up(words):.2f}"] for words in ("--help", "list")]),
    ]
    write("\n\n".join(text), asked.out)


def linked(folder: Path, pictures: list[Path], count: int) -> Path:
    """A folder of `count` links to the pictures to train on, in classes of equal size, and of few to test on."""
    for split, links in (("train", count), ("val", 2 * CLASSES)):
        for number in range(links):
            place = folder / split / f"class{number % CLASSES}" / f"{number:07}.jpg"
            if number < CLASSES:
                place.parent.mkdir(parents=True)
            place.symlink_to(pictures[number % len(pictures)])
    return folder


def training_memory(folder: Path, out: Path) -> tuple[int, float]:
    """The highest memory from the first step on, in bytes, and the seconds until that step."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(out.with_suffix(".cache"))}
    words = [
        sys.executable,
        "-m",
        "resvision",
        "train",
        "resnet18",
        "--data",
        str(folder),
        "--out",
        str(out),
        *SETTINGS,
    ]
    began = time.monotonic()
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    history, peak, start = out / "history.jsonl", 0, 0.0
    while process.poll() is None:
        if history.exists() and history.stat().st_size:
            start = start or time.monotonic() - began
            peak = max(peak, family_memory(process.pid))
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"training ended with {process.returncode}: {' '.join(words)}")
    return peak, start


def family_memory(pid: int) -> int:
    """Bytes of a process and its children by their proportional share; those that end meanwhile count nothing."""
    total = 0
    try:
        children = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += 1024 * int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return total + sum(map(family_memory, children))


def start_up(words: str) -> float:
    """Seconds of a command from start to end, the median of seven."""
    times = []
    for _ in range(7):
        began = time.monotonic()
        subprocess.run([sys.executable, "-m", "resvision", *words.split()], stdout=subprocess.DEVNULL, check=True)
        times.append(time.monotonic() - began)
    return median(times)


if __name__ == "__main__":
    main()
