"""The highest memory of scoring and of `predict` by the number of images; results are fed in, without a net.

    python benchmarks/score_memory.py [--images 1000 10000 100000]

Each cell is a process of its own that has loaded torch and this package, since every verb does: its highest resident
memory in MiB, and its seconds. Scored are label maps of 150 classes, 16 px wide, and probabilities of 1,000 classes in
batches of 64, alone and as an ensemble of three. Printed are areas of 150 classes as JSON lines. For --out, so many
empty files are listed and looked up. Exit code 1 where the most images take 5 % more than the fewest.
"""

import argparse
import atexit
import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

MEBI = 2**20
BATCH = 64


def segmentation(images: int) -> None:
    """Label maps of 150 classes, counted."""
    import torch

    from resvision.contracts import Batch, Images
    from resvision.segmentation.scoring import count_all

    torch.set_num_threads(1)
    draws = torch.Generator().manual_seed(0)
    side, classes, size = 16, 150, 4
    labels = torch.randint(0, classes, (size, side, side), generator=draws)
    predicted = torch.rand((size, classes, side, side), generator=draws).softmax(dim=1)
    pixels = torch.zeros((size, 3, 1, 1), dtype=torch.uint8)
    batches = (Batch(Images(pixels), labels, torch.arange(start, start + size)) for start in range(0, images, size))
    tally = count_all(lambda _: predicted, batches, images=images, classes=classes, device=torch.device("cpu"))
    assert tally.scores(tuple(map(str, range(classes))), str).images == images


def batches_of(images: int, classes: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    draws = np.random.default_rng(0)
    outputs = draws.random((BATCH, classes), dtype=np.float32)
    targets = draws.integers(0, classes, BATCH)
    for start in range(0, images, BATCH):
        size = min(BATCH, images - start)
        yield np.arange(start, start + size), outputs[:size], targets[:size]


def classification(images: int) -> None:
    """Probabilities of 1,000 classes, added up."""
    import torch  # noqa: F401 - as every evaluation has it

    from resvision.kinds.classification.scores import Tally

    tally = Tally(images, 1000)
    for ids, outputs, targets in batches_of(images, 1000):
        tally.add(ids, outputs, targets)
    assert tally.scores(tuple(map(str, range(1000))), str).images == images


def ensemble(images: int) -> None:
    """Probabilities of three nets and 1,000 classes, side by side, and their mean."""
    from resvision.classification import task
    from resvision.kinds.classification.scores import Tally

    alone, together = [Tally(images, 1000) for _ in range(3)], Tally(images, 1000)
    for rows in zip(*(batches_of(images, 1000) for _ in range(3)), strict=True):
        outputs = [row[1] for row in rows]
        for tally, member in zip([*alone, together], [*outputs, task.averaged(outputs)], strict=True):
            tally.add(rows[0][0], member, rows[0][2])
    assert together.scores(tuple(map(str, range(1000))), str).images == images


def predictions(images: int) -> Iterator[object]:
    from resvision.core.results import LabelMap
    from resvision.inference.predict import Predicted

    labels = np.arange(240 * 320, dtype=np.uint32).reshape(240, 320).astype(np.uint8) % 150
    pixels = np.zeros((240, 320, 3), dtype=np.uint8)
    names = tuple(f"class {label}" for label in range(150))
    for number in range(images):
        source = Path(f"{number}.png")
        yield Predicted(source, pixels, LabelMap(source=str(source), classes=names, labels=labels))


def json_lines(images: int) -> None:
    """Areas of 150 classes, printed as JSON lines."""
    import torch  # noqa: F401 - as every prediction has it

    from resvision.cli.predict import write
    from resvision.kinds.segmentation.kind import KIND

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        write(KIND, predictions(images), "json")  # type: ignore[arg-type]


def names(images: int) -> None:
    """A folder of so many images, listed and looked up in --out before the first is predicted."""
    import torch  # noqa: F401 - as every prediction has it

    from resvision.kinds.segmentation.kind import KIND
    from resvision.prediction.image_files import ImageFiles
    from resvision.prediction.out_folder import out_folder

    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)  # which lists it whole, after memory was read
    place = Path(folder, "photos")
    place.mkdir()
    for number in range(images):
        os.close(os.open(f"{place}/photo-{number:08}.png", os.O_CREAT))
    files = ImageFiles.of([place])
    with out_folder(KIND, Path(folder, "maps"), files, resume=True) as out:
        assert sum(1 for _ in out.remaining()) == images


WORK: dict[str, Callable[[int], None]] = {
    "scores of label maps, 150 classes": segmentation,
    "scores of 1,000 classes": classification,
    "ensemble of three, 1,000 classes": ensemble,
    "`predict --json`, areas of 150 classes": json_lines,
    "`predict --out`, names of images": names,
}


def measure(work: str, images: int) -> tuple[float, float]:
    """The highest resident memory in MiB of a process of its own, and its seconds."""
    begin = time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, __file__, "--work", work, "--images", str(images)],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return int(done.stdout.split()[-1]) / MEBI, time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, nargs="+", default=[1_000, 10_000, 100_000], help="counts, rising")
    parser.add_argument("--work", help="one row, in this process: prints bytes")
    asked = parser.parse_args()
    if asked.work:
        WORK[asked.work](asked.images[0])
        print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        return
    print(f"| MiB (seconds) | {' | '.join(f'{images:,} images' for images in asked.images)} | growth |")
    print(f"|{'---|' * (len(asked.images) + 2)}")
    flat = True
    for work in WORK:
        cells = [measure(work, images) for images in asked.images]
        growth = cells[-1][0] / cells[0][0] - 1
        flat &= growth < 0.05
        shown = " | ".join(f"{memory:.0f} ({seconds:.0f})" for memory, seconds in cells)
        print(f"| {work} | {shown} | {growth:+.1%} |", flush=True)
    sys.exit(not flat)


if __name__ == "__main__":
    main()
