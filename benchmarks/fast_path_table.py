"""The fast path's speed beside torchvision and OpenVINO by hand: rows of a table, each measured by `resvision bench`.

    python benchmarks/fast_path_table.py --photos FOLDER --bundle digits-resnet20 --bundle BUNDLE    # all rows but int8
    python benchmarks/fast_path_table.py --rows resnet50 ssd300 --rounds 2
    python benchmarks/fast_path_table.py --rows int8                        # needs NNCF, the extra `int8`

Rows take the machine one after another, and the paths of a row take turns. The `start` row is the time from the
shell to a label, of the bundles that --bundle names. The row `files` lets torchvision go over all photos once a round
and once before, so it takes two rounds.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
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
FILE_PATHS = "torchvision,openvino-bf16"
FILE_ROUNDS = 2
START = "start"
"""The row from the shell to a label."""
INT8 = "int8"
"""The row of ResNet-50 in int8 beside bf16."""
CALIBRATED = 16
"""Views that ranges are measured on, which speed does not depend on."""


def main() -> None:
    """Measure the rows, and print them as they come."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=[*ROWS, FILES, START, INT8], help="all but int8")
    parser.add_argument("--photos", type=Path, help="a folder of photos, for files and start")
    parser.add_argument("--bundle", action="append", help="a bundle of the start row, by folder or name")
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
        turns = "--seconds", f"{options.seconds}", "--rounds"
        if row == START:
            for bundle in options.bundle:
                print_start(bundle, first_photo(options.photos), options.rounds)
        elif row == INT8:
            print_int8(options.rounds, options.seconds)
        elif row == FILES:
            asked = ("resnet50", "--batch", "16", "--images", str(options.photos), "--files", f"{options.files}")
            print_rates(benched(FILE_PATHS, *asked, *turns, f"{min(FILE_ROUNDS, options.rounds)}"))
        else:
            print_rates(benched(PATHS, *ROWS[row], *turns, f"{options.rounds}"))


def benched(paths: str, *words: str) -> dict[str, Any]:
    """The JSON of `resvision bench`; its line of an error ends this program."""
    command = [sys.executable, "-m", "resvision", "bench", *words, "--paths", paths, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
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
    """Print the seconds from the shell to a label, after a first call that fills the cache of compiled graphs.

    The photo is made grey for a net of grey images.
    """
    command = [sys.executable, "-m", "resvision", "predict", bundle, str(photo), "--grey"]
    seconds = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - begun)
    print(f"  {bundle}: {median(seconds[1:]):.2f} s, first {seconds[0]:.2f} s")


def print_int8(rounds: int, seconds: float) -> None:
    """Print the rates of ResNet-50 with drawn weights in bf16, or what the CPU is best at, and in int8, in turn."""
    from resvision.bench.engine_contenders import OnEngine
    from resvision.bench.measuring import counting, drawn_views
    from resvision.bench.rounds import in_turn
    from resvision.bench.subjects import subject_of
    from resvision.export.int8 import write_quantized
    from resvision.kinds.graph import PIXELS
    from resvision.runtime.bundle import open_bundle
    from resvision.runtime.bundle_format import Calibration
    from resvision.runtime.engines import EngineSettings

    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "int8"
        folder.mkdir()
        floats = open_bundle(subject_of("resnet50", size_px=None, scratch=Path(scratch)).folder)
        side_px, _, channels = floats.manifest.inputs[PIXELS]
        feeds = [{PIXELS: view.pixels[None]} for view in drawn_views(CALIBRATED, side_px, channels)]
        write_quantized(floats, folder, feeds, Calibration("drawn", CALIBRATED, 0))
        paths = {
            name: OnEngine(place, EngineSettings(), name)
            for name, place in (("floats", Path(floats.title)), (INT8, folder))
        }
        for batch in (1, 16):
            views = drawn_views(batch, side_px, channels)
            jobs = {name: counting(path.on_views(views), batch) for name, path in paths.items()}
            rates = in_turn(jobs, rounds=rounds, least_s=seconds)
            for name, rate in rates.items():
                ratio = f"x {rate.over(rates['floats']):.2f}"
                print(
                    f"  {name:6} {paths[name].described:26} {batch:>3} "
                    f" {rate.median:9.2f} img/s ± {rate.spread:.0%}  {ratio}"
                )


def first_photo(folder: Path) -> Path:
    """The first file of a folder by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})[0]


if __name__ == "__main__":
    main()
