"""The fast path's speed beside torchvision and OpenVINO by hand: rows of a table, each measured by `resvision bench`.

    python benchmarks/fast_path_table.py --photos FOLDER                 # all rows
    python benchmarks/fast_path_table.py --rows resnet50 ssd300 --rounds 2

Rows take the machine one after another, and the paths of a row take turns. The `start` row is the time from the
shell to a label, of the bundle that --bundle names.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

PATHS = "torchvision,torch,openvino-by-hand,openvino-fp32,openvino-bf16"
ROWS: dict[str, tuple[str, ...]] = {
    "resnet50": ("resnet50", "--batch", "1", "--batch", "16"),
    "deeplabv3": ("deeplabv3_resnet50", "--size", "513", "--batch", "1"),
    "ssd300": ("ssd300_vgg16", "--batch", "1"),
    "retinanet": ("retinanet_resnet50_fpn", "--size", "640", "--batch", "1"),
}
"""Nets alone: what `resvision bench` is asked."""
FILES = "files"
"""The row from photos to labels of ResNet-50."""
START = "start"
"""The row from the shell to a label."""


def main() -> None:
    """Measure the rows, and print them as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=[*ROWS, FILES, START], help="measure these; all that can be")
    parser.add_argument("--photos", type=Path, help="a folder of photos, for files and start")
    parser.add_argument("--bundle", help="the bundle of the start row, by folder or name")
    parser.add_argument("--files", type=int, default=1000, help="photos, again and again where there are fewer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each path in a turn")
    options = parser.parse_args()
    for row in options.rows or [*ROWS, FILES, START]:
        if row in (FILES, START) and options.photos is None:
            parser.error(f"{row}: name a folder of photos by --photos")
        if row == START and options.bundle is None:
            parser.error(f"{row}: name a bundle by --bundle")
    for row in options.rows or [*ROWS, FILES, START]:
        print(f"\n{row}", flush=True)
        if row == START:
            print_start(options.bundle, first_photo(options.photos), options.rounds)
            continue
        words = ROWS.get(
            row, ("resnet50", "--batch", "16", "--images", str(options.photos), "--files", f"{options.files}")
        )
        print_rates(benched(*words, "--rounds", f"{options.rounds}", "--seconds", f"{options.seconds}"))


def benched(*words: str) -> dict[str, Any]:
    """The JSON of `resvision bench`; its line of an error ends this program."""
    command = [sys.executable, "-m", "resvision", "bench", *words, "--paths", PATHS, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def print_rates(document: dict[str, Any]) -> None:
    """Print the processor, and of each path and measure the rate and its ratio to the first path."""
    machine, (net,) = document["machine"], document["nets"]
    print(f"{machine['processor']}, {', '.join(machine['instructions'])}, {machine['cores']:g} cores")
    for path, found in net["paths"].items():
        for measure, rate in found["measures"].items():
            ratio = "" if rate["ratio"] is None else f"  x {rate['ratio']:.2f} of {net['baseline']}"
            print(f"  {path:18} {measure:>5}  {rate['images_a_second']:9.2f} img/s ± {rate['spread']:.0%}{ratio}")
        if found["of_both"] is not None:
            print(f"  {path:18} files at {found['of_both']:.2f} of decoding and then computing")
    for path, reason in net["left_out"].items():
        print(f"  {path}: left out, {reason}")


def print_start(bundle: str, photo: Path, rounds: int) -> None:
    """Print the seconds from the shell to a label, after a first call that fills the cache of compiled graphs."""
    command = [sys.executable, "-m", "resvision", "predict", bundle, str(photo)]
    seconds = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - begun)
    print(f"  {bundle}: {median(seconds[1:]):.2f} s, first {seconds[0]:.2f} s")


def first_photo(folder: Path) -> Path:
    """The first file of a folder by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})[0]


if __name__ == "__main__":
    main()
